import WebSocketNIO
import WebSocketProtocol

/// The mode `echo`: the server answers every message with the same content.
///
/// It holds the payload that the connections of one loop send and compare with.
final class EchoLoad: LoadMode {
  static let name = "echo"
  static let summary = "Sends messages and times the reply to each."
  static let metrics: [Metric] = [
    .connect, .dns, .tcp, .tls, .upgrade, .roundTrip, .service, .late, .close,
  ]
  static let headline = Metric.roundTrip

  /// Checks that sent = answered + unanswered + failed + in flight at end.
  static func unaccounted(_ counts: MessageCounts) -> Int { counts.accounting() }

  /// Which replies count as answers.
  enum Replies {
    /// Replies that carry the ID of a message and are equal to it.
    case identified
    /// Replies that are equal to the oldest waiting message.
    case inOrder
    /// Any reply. For a fixed message, which may be a request to a server that does not echo.
    case any
  }

  let kind: MessageKind
  let payload: MessagePayload
  let replies: Replies

  init(_ setting: LoadLoop.Setting) {
    let plan = setting.plan
    kind = plan.kind == .text ? .text : .binary
    payload = MessagePayload(plan, varies: setting.target.configuration.deflate != nil)
    replies =
      switch (plan.matching, plan.content) {
      case (.sequence, _): .identified
      case (.fifo, .generated): .inOrder
      case (.fifo, .fixed): .any
      }
  }

  deinit { payload.deallocate() }

  func makeConnection(number: Int, slot: Int, on loop: LoadLoop) -> any LoadConnection {
    EchoConnection(number: number, slot: slot, echo: self, on: loop)
  }
}
