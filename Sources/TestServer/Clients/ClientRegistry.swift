import Conversation
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
  /// What members of channels send in this turn of the loop.
  let turn: ChannelTurn
  /// The channels that have members on this loop.
  var channels: [ChannelKey: Channel] = [:]
  /// Those that a script acts on, by their numbers.
  var scripted: [Int: Scripted] = [:]
  /// The counters of the connections that have ended, and of events; see `currentCounters`.
  var counters = LoopCounters()
  /// The open clients by their numbers.
  private var clients: [Int: ServedClient] = [:]
  private var whenEmpty: [EventLoopPromise<Void>] = []
  private var isStopping = false
  private var isReadingPaused = false

  init(
    on loop: any EventLoop, _ capture: Capture, report: @escaping @Sendable (ServerEvent) -> Void
  ) {
    self.loop = loop
    self.report = report
    self.capture = capture
    budget = LogBudget(capture, on: loop, report: report)
    audience = BroadcastAudience(on: loop)
    turn = ChannelTurn(on: loop)
  }

  func add(_ client: ServedClient) {
    clients[client.number] = client
    if isReadingPaused { client.handler?.pauseReading(true) }
    // It was accepted while the server began to stop.
    if isStopping { client.handler?.closeGoingAway() }
  }

  func remove(_ client: ServedClient) {
    guard clients.removeValue(forKey: client.number) != nil else { return }
    if let handler = client.handler { counters.add(handler) }
    if clients.isEmpty { succeedWaiting() }
  }

  private var handlers: [ConnectionHandler] { clients.values.compactMap(\.handler) }

  /// The open clients, in no order.
  var openClients: [OpenClient] { clients.values.compactMap(\.open) }

  /// - Returns: The number of clients on which the action was performed.
  func perform(_ action: ClientAction, on selection: ClientSelection) -> Int {
    writePublications()
    return switch selection {
    case .all: Array(clients.values).count { $0.perform(action) }
    case .client(let number): clients[number]?.perform(action) == true ? 1 : 0
    case .path(let pattern):
      Array(clients.values).count { client in
        Glob.matches(pattern, RequestTarget(client.info.target).path) && client.perform(action)
      }
    }
  }

  /// Writes what was published in this turn of the loop: what came before a Close is sent before it.
  private func writePublications() {
    audience.flush()
    for channel in channels.values { channel.write() }
  }

  /// The counters of all connections, open ones too.
  var currentCounters: LoopCounters {
    var sum = counters
    for handler in handlers {
      sum.add(handler)
      sum.queuedBytes += handler.bufferedBytes
    }
    sum.connections = clients.count
    sum.slowConsumers += audience.slowConsumers
    return sum
  }

  /// Stops reading from all clients, new ones too, or resumes.
  func pauseReading(_ isPaused: Bool) {
    isReadingPaused = isPaused
    for handler in handlers { handler.pauseReading(isPaused) }
  }

  /// Sends Close 1001 to every client; the future succeeds when all are gone.
  func stop() -> EventLoopFuture<Void> {
    isStopping = true
    writePublications()
    let promise = loop.makePromise(of: Void.self)
    whenEmpty.append(promise)
    if clients.isEmpty { succeedWaiting() }
    for handler in handlers { handler.closeGoingAway() }
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
