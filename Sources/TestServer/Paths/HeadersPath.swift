import Conversation
import NIOHTTP1
import WebSocketProtocol

/// `/headers`: the request as the server sees it.
enum HeadersPath {
  static let entry = TestPathEntry(
    pattern: "/headers", aliases: ["/anything", "/request"],
    summary: "Sends the request as JSON, and echoes."
  ) { arguments throws(InvalidArgument) in
    .accept(PathConnection(behaviour: Performance.Maker.first(.text, json(arguments))))
  }

  /// Fields that are hidden from web pages: a page of another site could connect with the cookies
  /// of its user and read them from the message.
  private static let secrets: Set<String> = ["cookie", "authorization", "proxy-authorization"]

  private static func json(_ arguments: PathArguments) -> [UInt8] {
    let fields = arguments.fields
    let isFromPage = fields.contains(name: "Origin")
    var seen: Set<String> = []
    let names = fields.map(\.name).filter { seen.insert($0.lowercased()).inserted }
    var json = JSONWriter()
    json.object { json in
      json.member("method", arguments.method)
      json.member("path", arguments.target.path)
      json.member("query", array: arguments.target.query) { json, parameter in
        json.object { json in
          json.member("name", parameter.name)
          json.member("value", parameter.value)
        }
      }
      json.member("headers", array: names) { json, name in
        json.object { json in
          json.member("name", name)
          let isHidden = isFromPage && secrets.contains(name.lowercased())
          json.member("value", isHidden ? "***" : fields[name].joined(separator: ", "))
        }
      }
      json.member("remote", arguments.remoteAddress ?? "")
      json.member("tls", arguments.isTLS)
      json.member("subprotocols", array: arguments.offered) { $0.string($1) }
      json.member("extensions", array: fields["Sec-WebSocket-Extensions"]) { $0.string($1) }
    }
    return json.bytes
  }
}
