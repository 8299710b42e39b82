import Conversation
package import NIOCore
import NIOHTTP1
import WebSocketNIO
import WebSocketProtocol

/// A message that a request publishes: its body.
package struct Publication: Sendable {
  var channel: any ChannelMaker
  package var method: String
  /// The target of the request, as the client sent it.
  package var target: String
  package var from: SocketAddress?
  var kind: MessageKind
  /// The author, for members of a room.
  var name: String?

  init(
    _ request: HTTPRequest, to channel: any ChannelMaker, name: String?
  ) throws(Refusal) {
    let head = request.head
    // In HTTP/2 a body needs no announcement.
    guard
      head.version.major > 1 || head.headers.contains(name: "Content-Length")
        || head.headers.contains(name: "Transfer-Encoding")
    else { throw Refusal(.badRequest, "the request has no body; try: curl -d TEXT URL") }
    (method, target, from) = (head.method.rawValue, head.uri, request.remoteAddress)
    self.channel = channel
    self.name = name
    let type = head.headers["Content-Type"].first?.prefix { $0 != ";" && $0 != " " } ?? ""
    kind = type.lowercased() == "application/octet-stream" ? .binary : .text
  }

  /// Reads the body, publishes it, and answers with the number of clients that were sent it.
  ///
  /// - Parameters:
  ///   - limit: Bytes of the body.
  ///   - access: Logs the message, and refusals.
  ///   - request: The request.
  /// - Returns: An answer that reads the body.
  func answer(limit: Int, _ access: ChannelAccess, _ request: HTTPRequest) -> HTTPAnswer {
    .reading(limit: limit) { body in
      let isValid = body.withUnsafeReadableBytes {
        kind == .binary || String(validating: $0, as: UTF8.self) != nil
      }
      guard isValid else {
        return Refusal(
          .badRequest, "the body is not valid UTF-8; send it as application/octet-stream"
        ).answer(request, access.report)
      }
      return .later { loop in
        channel.publish([PublishedMessage(kind, body)], name: name, on: loop).map { delivered in
          let summary = body.withUnsafeReadableBytes {
            MessageSummary(kind, $0, access.capture)
          }
          access.log(.published(self, summary, delivered: delivered))
          return .reply(
            HTTPReplyText(
              status: .ok, fields: [("Content-Type", "application/json")],
              body: "{\"delivered\":\(delivered)}"
            ).reply)
        }
      }
    }
  }
}
