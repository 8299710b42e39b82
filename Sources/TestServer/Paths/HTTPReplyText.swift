import NIOHTTP1
import WebSocketNIO

/// A reply with text or fields that a client may have chosen in its URL.
struct HTTPReplyText: Sendable {
  var status: HTTPResponseStatus
  var fields: [(String, String)] = []
  /// The body without its final line feed.
  var body: String

  /// The reply, with a policy that prevents scripts from running in a browser, whatever its content
  /// type. Any site can link to such a URL, and a script would run with the origin of this server.
  var reply: HTTPReply {
    var fields = fields
    if !fields.contains(where: { $0.0.lowercased() == "content-type" }) {
      fields.append(("Content-Type", "text/plain; charset=utf-8"))
    }
    fields += [
      ("Content-Security-Policy", "default-src 'none'; sandbox"),
      ("X-Content-Type-Options", "nosniff"),
    ]
    let hasBody = status.code != 204 && status.code != 205 && status.code != 304
    return HTTPReply(status, headers: fields, body: hasBody ? Array((body + "\n").utf8) : [])
  }
}
