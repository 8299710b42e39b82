import WebSocketNIO
import WebSocketProtocol

/// `echo`: every message is answered by one of the same content.
///
/// Holds what the connections of one loop send and compare with.
final class EchoLoad: LoadMode {
  static let name = "echo"
  static let summary = "Sends messages and times the reply to each."
  static let metrics: [Metric] = [
    .connect, .dns, .tcp, .tls, .upgrade, .roundTrip, .service, .late, .close,
  ]
  static let headline = Metric.roundTrip

  /// sent = answered + unanswered + failed + in flight at end
  static func unaccounted(_ counts: MessageCounts) -> Int { counts.accounting() }

  /// What a reply must be to count as an answer.
  enum Replies {
    /// It carries the id of its message, and is equal to it.
    case identified
    /// It is equal to the oldest message.
    case inOrder
    /// Any: for a fixed message, which may be a question to a server that does not echo.
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
