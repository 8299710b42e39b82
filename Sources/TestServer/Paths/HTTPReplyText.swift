import NIOHTTP1
import WebSocketNIO

/// A reply whose text or fields a client may have chosen in its URL.
struct HTTPReplyText: Sendable {
  var status: HTTPResponseStatus
  var fields: [(String, String)] = []
  /// Without the line feed at its end.
  var body: String

  /// Nothing in it can run in a browser, whatever type it claims to be: a page of another site can lead a
  /// browser here, and what ran here would have the origin of this server.
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
