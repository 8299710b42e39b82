import WebSocketProtocol

/// The commands that send something that is no line.
enum SendingCommands {
  static let entries = [
    CommandEntry(
      name: "hex", arguments: "bytes", summary: "send binary",
      explanation: "Sends a binary message of hexadecimal digits: /hex 00 ff 0a.",
      parse: { rest throws(CommandMistake) in .sendBinary(try hex(rest)) }),
    CommandEntry(
      name: "base64", arguments: "text", summary: "send binary",
      explanation: "Sends a binary message that is typed in base64: /base64 AP8K.",
      parse: { rest throws(CommandMistake) in
        guard !rest.isEmpty else { throw CommandMistake("/base64 needs a text in base64") }
        guard let bytes = Base64.decode(rest) else {
          throw CommandMistake("/base64: this is not valid base64")
        }
        return .sendBinary(bytes)
      }),
    CommandEntry(
      name: "file", arguments: "path [kind]", summary: "send a file",
      explanation:
        "Sends a file as one message: text or binary as the last word says, or as lines are sent.",
      argument: .fileName, parse: file),
    CommandEntry(
      name: "edit", arguments: "[text]", summary: "use $EDITOR",
      explanation:
        "Writes a message in $VISUAL or $EDITOR, beginning with the text. Once saved it is sent.",
      parse: { rest throws(CommandMistake) in .edit(rest) }),
    CommandEntry(
      name: "multi", summary: "several lines",
      explanation: "Lines are one message until /end or Ctrl-D; Ctrl-C drops them.",
      parse: CommandEntry.plain("multi", .multi)),
    CommandEntry(
      name: "repeat", arguments: "n message", summary: "send n times",
      explanation: "Sends a message n times, as fast as the peer reads. Ctrl-C stops it.",
      parse: repeated),
  ]

  private static func hex(_ rest: String) throws(CommandMistake) -> [UInt8] {
    let digits = rest.filter { !" \t:,".contains($0) }
    guard !digits.isEmpty else { throw CommandMistake("/hex needs hexadecimal digits") }
    if let wrong = digits.first(where: { !$0.isHexDigit || !$0.isASCII }) {
      throw CommandMistake("/hex: \"\(wrong)\" is no hexadecimal digit")
    }
    guard digits.count.isMultiple(of: 2) else {
      throw CommandMistake("/hex: an odd number of digits; every byte has two")
    }
    let values = digits.compactMap { $0.hexDigitValue }
    return stride(from: 0, to: values.count - 1, by: 2).map {
      UInt8(truncatingIfNeeded: values[$0] << 4 | values[$0 + 1])
    }
  }

  @Sendable private static func file(_ rest: String) throws(CommandMistake) -> SlashCommand {
    for (word, kind) in [("text", MessageKind.text), ("binary", .binary)] {
      if rest.hasSuffix(" " + word) {
        var path = rest.dropLast(word.count)[...]
        while path.last == " " { path.removeLast() }
        if !path.isEmpty { return .sendFile(String(path), kind) }
      }
    }
    guard !rest.isEmpty else { throw CommandMistake("/file needs the name of a file") }
    return .sendFile(rest, nil)
  }

  @Sendable private static func repeated(_ rest: String) throws(CommandMistake) -> SlashCommand {
    let words = rest.split(separator: " ", maxSplits: 1)
    guard words.count == 2 else {
      throw CommandMistake("/repeat needs a number and a message: /repeat 3 hello")
    }
    guard let count = Int(words[0]), count > 0 else {
      throw CommandMistake("/repeat: \"\(words[0])\" is no number of times")
    }
    return .repeatMessage(count, String(words[1]))
  }
}
