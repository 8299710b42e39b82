package import NIOCore
import WebSocketProtocol

/// The interval between pings, and the time limit for their pongs.
package struct KeepAlive: Sendable, Hashable {
  /// The time between two pings.
  package var interval: TimeAmount
  /// The connection is closed if a pong takes longer than this; nil waits indefinitely.
  package var timeout: TimeAmount?

  package init(interval: TimeAmount, timeout: TimeAmount?) {
    self.interval = interval
    self.timeout = timeout
  }
}

/// Implements `KeepAlive` for one connection. Used on its event loop.
final class PeerWatch {
  /// Whether pongs can be received: while reading is paused, the peer is not responsible for a
  /// missing pong.
  var isListening = true {
    didSet { if isListening, !oldValue { awaitPong() } }
  }

  private let keepAlive: KeepAlive
  private let sent: ([UInt8]) -> Void
  private weak var handler: ConnectionHandler?
  private var nextPing: Scheduled<Void>?
  private var deadline: Scheduled<Void>?
  private var isPongDue = false
  private var count = 0

  /// `sent` is called for every ping before it is sent.
  init(
    _ keepAlive: KeepAlive, _ handler: ConnectionHandler, sent: @escaping ([UInt8]) -> Void
  ) {
    self.keepAlive = keepAlive
    self.sent = sent
    self.handler = handler
    schedulePing()
  }

  func heardPong() {
    isPongDue = false
    deadline?.cancel()
  }

  func stop() {
    nextPing?.cancel()
    deadline?.cancel()
  }

  private func schedulePing() {
    nextPing = handler?.eventLoop?.assumeIsolated().scheduleTask(in: keepAlive.interval) {
      [weak self] in self?.ping()
    }
  }

  private func ping() {
    guard let handler, handler.isOpen else { return }
    count += 1
    let payload = Array("wscope \(count)".utf8)
    sent(payload)
    try? handler.perform { machine throws(SendError) in try machine.sendPing(payload) }
    if !isPongDue {
      isPongDue = true
      awaitPong()
    }
    schedulePing()
  }

  /// Starts the timeout. It counts from the first ping without a pong; later pings do not restart
  /// it.
  private func awaitPong() {
    guard isPongDue, isListening, let timeout = keepAlive.timeout else { return }
    deadline?.cancel()
    deadline = handler?.eventLoop?.assumeIsolated().scheduleTask(in: timeout) { [weak self] in
      guard let self, self.isPongDue, self.isListening else { return }
      self.handler?.abandon(.timedOut(.ping))
    }
  }
}
