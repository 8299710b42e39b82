import NIOCore
import WebSocketNIO

/// Opens the connections of one event loop at the connect rate.
final class Connector {
  private unowned let loop: LoadLoop
  private let start: Int64
  private let bound: NIOLoopBound<LoadLoop>
  private var timer: LoopTimer?
  /// The slot to open next, which is also the number of attempts made so far.
  private(set) var next = 0

  /// Maximum number of connections from one loopback source address to one address and port. The
  /// kernel has about 28 000 ephemeral ports, and its search for a free one gets slower and slower
  /// beyond 14 000 (PERFORMANCE section 5).
  private static let connectionsPerSource = 8000

  /// A connector for a run whose first connection is due at `start` (`MonotonicClock`, in ns).
  init(_ loop: LoadLoop, start: Int64) {
    self.loop = loop
    self.start = start
    bound = NIOLoopBound(loop, eventLoop: loop.eventLoop)
  }

  /// The number of connections of one loop: connections are assigned to the loops in turn.
  static func share(of plan: LoadPlan, loop: Int) -> Int {
    let threads = max(1, plan.threads)
    let own = plan.ownConnections
    return own / threads + (loop < own % threads ? 1 : 0)
  }

  func begin() {
    timer = LoopTimer(on: loop.eventLoop) { [weak self] in self?.openDue() }
    openDue()
  }

  private func openDue() {
    let now = MonotonicClock.now()
    while next < loop.connections.count {
      let due = moment(of: loop.number(slot: next))
      guard due <= now else {
        timer?.set(due)
        return
      }
      open(slot: next, intended: due)
      next += 1
    }
  }

  private func moment(of number: Int) -> Int64 {
    let offset = Double(number) / max(loop.plan.connectRate, 0.001) * 1e9
    return start &+ (Int64(exactly: offset.rounded()) ?? 0)
  }

  private func open(slot: Int, intended: Int64) {
    let number = loop.number(slot: slot)
    let bound = bound
    let home = loop.eventLoop
    Client.open(
      configuration(connection: number), route: loop.setting.target.route,
      on: loop.eventLoops.opening, movingTo: loop.eventLoops.destination
    ) { _ in
      bound.value.mode.makeConnection(number: number, slot: slot, on: bound.value)
    }.whenComplete { result in
      let now = MonotonicClock.now()
      home.execute { Self.record(result, at: now, intended: intended, in: bound.value) }
    }
  }

  private static func record(
    _ result: Result<HandshakeInfo, any Error>, at now: Int64, intended: Int64, in loop: LoadLoop
  ) {
    switch result {
    case .success(let info):
      loop.figures.metrics.record(now &- intended, .connect)
      loop.figures.record(info.timings)
      loop.setting.post.yield(.opened(info))
    case .failure(let error as ConnectError):
      loop.figures.record(ConnectionFailure(error), at: now)
      loop.setting.post.yield(.failed(error))
    case .failure:
      // Unreachable: `Client.open` fails only with a `ConnectError`.
      break
    }
  }

  private func configuration(connection: Int) -> ClientConfiguration {
    var configuration = loop.setting.target.configuration
    let sources = loop.setting.target.sources
    if !sources.isEmpty {
      configuration.localAddress = sources[connection % sources.count]
      return configuration
    }
    guard loop.plan.connections > Self.connectionsPerSource, configuration.localAddress == nil,
      let address = loop.setting.target.route.addresses.first?.ipAddress, address.hasPrefix("127.")
    else { return configuration }
    let source = 1 &+ connection / Self.connectionsPerSource % 250
    configuration.localAddress = try? SocketAddress(ipAddress: "127.0.0.\(source)", port: 0)
    return configuration
  }
}

extension LoopFigures {
  mutating func record(_ timings: HandshakeTimings) {
    metrics.record(timings.connect, .tcp)
    if let duration = timings.tls { metrics.record(duration, .tls) }
    metrics.record(timings.upgrade, .upgrade)
  }
}
