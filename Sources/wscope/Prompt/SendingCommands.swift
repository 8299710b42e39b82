import WebSocketProtocol

/// The commands that send something other than a line.
enum SendingCommands {
  static let entries = [
    CommandEntry(
      name: "hex", arguments: "bytes", summary: "send binary",
      explanation: "Sends a binary message given as hexadecimal digits: /hex 00 ff 0a.",
      parse: { rest throws(CommandError) in .sendBinary(try hex(rest)) }),
    CommandEntry(
      name: "base64", arguments: "text", summary: "send binary",
      explanation: "Sends a binary message given in base64: /base64 AP8K.",
      parse: { rest throws(CommandError) in
        guard !rest.isEmpty else { throw CommandError("/base64 requires a text in base64") }
        guard let bytes = Base64.decode(rest) else {
          throw CommandError("/base64: invalid base64")
        }
        return .sendBinary(bytes)
      }),
    CommandEntry(
      name: "file", arguments: "path [kind]", summary: "send a file",
      explanation:
        "Sends a file as one message, as text or binary; by default, the type of typed lines.",
      argument: .fileName, parse: file),
    CommandEntry(
      name: "edit", arguments: "[text]", summary: "use $EDITOR",
      explanation:
        "Opens $VISUAL or $EDITOR with the text, and sends what is saved.",
      parse: { rest throws(CommandError) in .edit(rest) }),
    CommandEntry(
      name: "multi", summary: "several lines",
      explanation: "Sends the lines up to /end or Ctrl-D as one message; Ctrl-C discards them.",
      parse: CommandEntry.plain("multi", .multi)),
    CommandEntry(
      name: "repeat", arguments: "n message", summary: "send n times",
      explanation: "Sends a message n times, as fast as the peer reads. Ctrl-C stops it.",
      parse: repeated),
  ]

  private static func hex(_ rest: String) throws(CommandError) -> [UInt8] {
    let digits = rest.filter { !" \t:,".contains($0) }
    guard !digits.isEmpty else { throw CommandError("/hex requires hexadecimal digits") }
    if let wrong = digits.first(where: { !$0.isHexDigit || !$0.isASCII }) {
      throw CommandError("/hex: invalid hexadecimal digit \"\(wrong)\"")
    }
    guard digits.count.isMultiple(of: 2) else {
      throw CommandError("/hex: odd number of digits; every byte has two")
    }
    let values = digits.compactMap { $0.hexDigitValue }
    return stride(from: 0, to: values.count - 1, by: 2).map {
      UInt8(truncatingIfNeeded: values[$0] << 4 | values[$0 + 1])
    }
  }

  @Sendable private static func file(_ rest: String) throws(CommandError) -> SlashCommand {
    for (word, kind) in [("text", MessageKind.text), ("binary", .binary)] {
      if rest.hasSuffix(" " + word) {
        var path = rest.dropLast(word.count)[...]
        while path.last == " " { path.removeLast() }
        if !path.isEmpty { return .sendFile(String(path), kind) }
      }
    }
    guard !rest.isEmpty else { throw CommandError("/file requires a file name") }
    return .sendFile(rest, nil)
  }

  @Sendable private static func repeated(_ rest: String) throws(CommandError) -> SlashCommand {
    let words = rest.split(separator: " ", maxSplits: 1)
    guard words.count == 2 else {
      throw CommandError("/repeat requires a number and a message, as in /repeat 3 hello")
    }
    guard let count = Int(words[0]), count > 0 else {
      throw CommandError("/repeat: invalid number \"\(words[0])\"")
    }
    return .repeatMessage(count, String(words[1]))
  }
}
