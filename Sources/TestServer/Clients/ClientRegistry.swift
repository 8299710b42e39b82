import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// The clients of one event loop, the log's budget that they share, and what they belong to. Used on its
/// loop only.
final class ClientRegistry {
  let loop: any EventLoop
  let report: @Sendable (ServerEvent) -> Void
  let capture: Capture
  let budget: LogBudget
  /// The clients that receive plain broadcasts.
  let audience: BroadcastAudience
  /// The channels that have members on this loop.
  var channels: [ChannelKey: Channel] = [:]
  /// Those that a script acts on, by their numbers.
  var scripted: [Int: Scripted] = [:]
  private var clients: [ObjectIdentifier: ConnectionHandler] = [:]
  private var whenEmpty: [EventLoopPromise<Void>] = []
  private var isStopping = false

  init(
  private var isReadingPaused = false
    on loop: any EventLoop, _ capture: Capture, report: @escaping @Sendable (ServerEvent) -> Void
  ) {
    self.loop = loop
    self.report = report
    self.capture = capture
    budget = LogBudget(capture, on: loop, report: report)
    audience = BroadcastAudience(on: loop)
  }

  func add(_ handler: ConnectionHandler) {
    clients[ObjectIdentifier(handler)] = handler
    // It was accepted while the server began to stop.
    if isStopping { handler.closeGoingAway() }
    if isReadingPaused { handler.pauseReading(true) }
  }

  func remove(_ handler: ConnectionHandler) {
    clients[ObjectIdentifier(handler)] = nil
    if clients.isEmpty { succeedWaiting() }
  }

  /// Sends Close 1001 to every client; the future succeeds when all are gone.
  func stop() -> EventLoopFuture<Void> {
    isStopping = true
    let promise = loop.makePromise(of: Void.self)
    whenEmpty.append(promise)
    if clients.isEmpty { succeedWaiting() }
    for client in clients.values { client.closeGoingAway() }
    return promise.futureResult
  }

  private func succeedWaiting() {
    let promises = whenEmpty
    whenEmpty = []
    for promise in promises { promise.succeed() }
  }
}

extension ConnectionHandler {
  fileprivate func closeGoingAway() {
    close(CloseFrame(.goingAway, reason: "server is shutting down"))
  }

  /// Closes a client that does not read what it is sent.
  func closeSlow() { close(CloseFrame(.policyViolation, reason: "slow consumer")) }

  private func close(_ frame: CloseFrame) {
    // Only a connection that is closing already refuses, and that is what is wanted.
    try? perform { machine throws(SendError) in try machine.sendClose(frame) }
  }
}
