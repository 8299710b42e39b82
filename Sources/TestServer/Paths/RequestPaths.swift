import NIOHTTP1
import WebSocketProtocol

/// Paths whose first message is a part of the request, or a UUID.
enum RequestPaths {
  static let all = [
    entry("/ip", "Sends the address of the client, and echoes.") { $0.remoteAddress ?? "" },
    entry("/user-agent", "Sends the User-Agent of the request, and echoes.") {
      $0.fields["User-Agent"].first ?? ""
    },
    entry("/origin", "Sends the Origin of the request, and echoes.") {
      $0.fields["Origin"].first ?? ""
    },
    entry("/uuid", "Sends a random UUID (version 4), and echoes.") { _ in uuid() },
  ]

  private static func entry(
    _ pattern: String, _ summary: String, value: @escaping @Sendable (PathArguments) -> String
  ) -> TestPathEntry {
    TestPathEntry(pattern: pattern, summary: summary) { arguments throws(InvalidArgument) in
      // A field may contain any bytes, but a text message must be UTF-8: going through `String`
      // repairs it.
      .accept(
        PathConnection(behaviour: Performance.Maker.first(.text, Array(value(arguments).utf8))))
    }
  }

  private static func uuid() -> String {
    var bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
    bytes[6] = bytes[6] & 0x0F | 0x40
    bytes[8] = bytes[8] & 0x3F | 0x80
    let digits = bytes.map { String(Int($0) + 0x100, radix: 16).dropFirst() }.joined()
    var text = ""
    for (index, digit) in digits.enumerated() {
      if [8, 12, 16, 20].contains(index) { text += "-" }
      text.append(digit)
    }
    return text
  }
}
