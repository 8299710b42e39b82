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
    kind = try Self.kind(request)
    (method, target, from) = (head.method.rawValue, head.uri, request.remoteAddress)
    self.channel = channel
    self.name = name
  }

  /// Whether the body of a request is a text message or a binary one.
  ///
  /// - Throws: A `Refusal` if the request has no body.
  static func kind(_ request: HTTPRequest) throws(Refusal) -> MessageKind {
    let head = request.head
    // In HTTP/2 a body needs no announcement.
    guard
      head.version.major > 1 || head.headers.contains(name: "Content-Length")
        || head.headers.contains(name: "Transfer-Encoding")
    else { throw Refusal(.badRequest, "the request has no body; try: curl -d TEXT URL") }
    let type = head.headers["Content-Type"].first?.prefix { $0 != ";" && $0 != " " } ?? ""
    return type.lowercased() == "application/octet-stream" ? .binary : .text
  }

  /// Whether a body can be a message of this kind.
  static func isValid(_ body: ByteBuffer, _ kind: MessageKind) -> Bool {
    body.withUnsafeReadableBytes {
      kind == .binary || String(validating: $0, as: UTF8.self) != nil
    }
  }

  /// The refusal of a body that is not.
  static let invalidText = Refusal(
    .badRequest, "the body is not valid UTF-8; send it as application/octet-stream")

  /// Reads the body, publishes it, and answers with the number of clients that were sent it.
  ///
  /// - Parameters:
  ///   - limit: Bytes of the body.
  ///   - access: Logs the message, and refusals.
  ///   - request: The request.
  /// - Returns: An answer that reads the body.
  func answer(limit: Int, _ access: ChannelAccess, _ request: HTTPRequest) -> HTTPAnswer {
    .reading(limit: limit) { body in
      guard Self.isValid(body, kind) else {
        return Self.invalidText.answer(request, access.report)
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
