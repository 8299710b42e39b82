import Conversation
import NIOHTTP1
import WebSocketNIO
import WebSocketProtocol

/// `/cookies/set?a=b`: sets cookies with the 101 (RFC 6265), and shows those of the request.
enum CookiesPath {
  static let entry = TestPathEntry(
    pattern: "/cookies/set",
    summary: "Sets each parameter as a cookie, sends the request's cookies as JSON, and echoes.",
    takesAnyQuery: true
  ) { arguments throws(InvalidArgument) in
    var fields: [(name: String, value: String)] = []
    for parameter in arguments.target.query where parameter.name != "fault" {
      guard HeaderSyntax.isToken(parameter.name), isValue(parameter.value) else {
        throw InvalidArgument(
          "\(parameter.name): not a cookie (expected a token, =, and printable ASCII without \" , ; \\)"
        )
      }
      fields.append((name: "Set-Cookie", value: "\(parameter.name)=\(parameter.value)"))
    }
    let cookies = fields
    let rule = FaultRule.silent(
      .handshake { answer in
        guard case .upgrade(var upgrade) = answer else { return answer }
        upgrade.fields += cookies
        return .upgrade(upgrade)
      })
    return .accept(
      PathConnection(
        behaviour: Performance.Maker.first(.text, json(arguments)), faults: [rule]))
  }

  /// The characters of a cookie's value (RFC 6265 section 4.1.1).
  private static func isValue(_ text: String) -> Bool {
    text.utf8.allSatisfy { byte in
      (0x21...0x7E).contains(byte) && !"\",;\\".utf8.contains(byte)
    }
  }

  /// A page of another site could connect with the cookies of its user and read them here.
  private static func json(_ arguments: PathArguments) -> [UInt8] {
    let isFromPage = arguments.fields.contains(name: "Origin")
    var json = JSONWriter()
    json.object { json in
      for pair in arguments.fields["Cookie"].flatMap({ $0.split(separator: ";") }) {
        let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
        guard let name = parts.first else { continue }
        json.member(
          String(name), isFromPage ? "***" : parts.count > 1 ? String(parts[1]) : "")
      }
    }
    return json.bytes
  }
}
