package import NIOCore
package import NIOHTTP1
package import WebSocketProtocol

/// What a test server has to tell. It prints nothing itself.
package enum ServerEvent: Sendable {
  case opened(client: Int, from: SocketAddress?, Arrival)
  case message(client: Int, MessageSummary)
  case closed(client: Int, Departure)
  /// Requests that were refused, and pages that were served are not events.
  case refused(from: SocketAddress?, status: HTTPResponseStatus, explanation: String)
  /// No other connection can be accepted for now; `errno` says why.
  case acceptFailed(errno: Int32)
  /// Messages that were not told of one by one, since more came than anybody can read.
  case more(messages: UInt64)
}

/// As much of a message as a log line shows.
package struct MessageSummary: Sendable {
  package var kind: MessageKind
  /// Bytes.
  package var size: Int
  /// The first bytes of it, at most `previewLength`.
  package var preview: [UInt8]

  static let previewLength = 256

  init(_ kind: MessageKind, _ payload: UnsafeRawBufferPointer) {
    self.kind = kind
    size = payload.count
    preview = Array(payload.prefix(Self.previewLength))
  }
}

/// How many messages of one event loop are told of one by one. Under load, a line for each message
/// would be all that the server does, so there is a budget a second, and a count of the rest.
final class MessageBudget {
  private let perSecond: Int
  private var left: Int
  private var untold: UInt64 = 0
  private var timer: Scheduled<Void>?
  private let loop: any EventLoop
  private let report: @Sendable (ServerEvent) -> Void

  init(
    perSecond: Int, on loop: any EventLoop, report: @escaping @Sendable (ServerEvent) -> Void
  ) {
    self.perSecond = perSecond
    left = perSecond
    self.loop = loop
    self.report = report
  }

  /// Tells of a message if the budget allows.
  @inline(__always)
  func tell(_ client: Int, _ kind: MessageKind, _ payload: UnsafeRawBufferPointer) {
    if left > 0 {
      spend(client, kind, payload)
    } else {
      untold &+= 1
    }
  }

  /// Whether messages are only counted for now.
  var isSpent: Bool { left == 0 }

  /// Messages that nobody is told of, while the budget is spent.
  @inline(__always)
  func count(_ messages: Int) { untold &+= UInt64(messages) }

  @inline(never)
  private func spend(_ client: Int, _ kind: MessageKind, _ payload: UnsafeRawBufferPointer) {
    left -= 1
    report(.message(client: client, MessageSummary(kind, payload)))
    guard timer == nil else { return }
    timer = loop.assumeIsolated().scheduleTask(in: .seconds(1)) { [weak self] in self?.renew() }
  }

  /// Runs once a second while there is traffic, and not at all when there is none.
  private func renew() {
    timer = nil
    let spent = left < perSecond || untold > 0
    left = perSecond
    if untold > 0 { report(.more(messages: untold)) }
    untold = 0
    guard spent else { return }
    timer = loop.assumeIsolated().scheduleTask(in: .seconds(1)) { [weak self] in self?.renew() }
  }
}
