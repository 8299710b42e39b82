import Conversation
import NIOCore
import NIOHTTP1
import WebSocketNIO

/// Answers `GET /metrics`: adds up the counters of the loops when it is asked.
struct MetricsReport: Sendable {
  let counters: EventCounters
  private let registries: [NIOLoopBound<ClientRegistry>]
  private let version: String
  private let behaviour: String
  private let rules: [Int]
  private let programs: ProgramTable

  /// Further rules share a count.
  private static let maxRules = 100

  init(
    _ configuration: TestServerConfiguration, _ registries: [NIOLoopBound<ClientRegistry>],
    _ counters: EventCounters, _ programs: ProgramTable
  ) {
    self.programs = programs
    self.counters = counters
    self.registries = registries
    version = configuration.version
    behaviour = configuration.behaviour ?? configuration.mode.text
    let scripting = configuration.scripting
    let lines = (scripting?.rules ?? []).map(\.line) + (scripting?.script?.rules ?? []).map(\.line)
    var known: Set<Int> = []
    rules = Array(lines.filter { known.insert($0).inserted }.prefix(Self.maxRules))
  }

  var answer: HTTPAnswer {
    .later { [self] loop in
      let sums = registries.map { registry in
        registry.eventLoop.submit { registry.value.currentCounters }
      }
      return EventLoopFuture.whenAllSucceed(sums, on: loop).map { sums in
        var total = LoopCounters()
        for sum in sums { total += sum }
        let figures = MetricFigures(
          loops: total, events: counters.snapshot, process: .current(), version: version,
          processes: programs.running, behaviour: behaviour, rules: rules)
        return .reply(
          HTTPReply(
            .ok,
            headers: [
              ("Content-Type", Metrics.contentType), ("Cache-Control", "no-store"),
              ("X-Content-Type-Options", "nosniff"),
            ],
            body: Array(Metrics.text(figures).utf8)))
      }
    }
  }
}
