import NIOCore
import NIOHTTP1
import Synchronization
import WebSocketProtocol

/// Counts the events of a server, for metrics. Messages are not counted here, but in the
/// connections.
final class EventCounters: Sendable {
  /// How a connection was closed.
  enum Closer: String, Sendable, CaseIterable {
    case client, server
    /// It was lost.
    case none
  }

  struct Counts: Sendable {
    /// Clients since the start.
    var clients: UInt64 = 0
    /// Answers to handshakes, by their HTTP status.
    var statuses = LabelledCounts(known: [101, 400, 401, 403, 404, 503], limit: 40)
    var refusedOrigins: UInt64 = 0
    /// Connections that have ended, by the close code.
    var closes: [Closer: LabelledCounts] = Dictionary(
      uniqueKeysWithValues: Closer.allCases.map {
        ($0, LabelledCounts(known: Array(1000...1015), limit: 64))
      })
    var durations = DurationCounts()
    /// Violations of the protocol by clients, by the close code of the answer.
    var violations = LabelledCounts(known: [1002, 1007, 1009], limit: 3)
    /// Processes of connections that have ended.
    var programs = ProgramEnds()
    /// Connections on which a fault has acted, by its kind.
    var faults: [String: UInt64] = [:]
  }

  private let counts = Mutex(Counts())

  var snapshot: Counts { counts.withLock { $0 } }

  /// Counts a request that the rules for Host and Origin rejected.
  func countRefusedOrigin() { counts.withLock { $0.refusedOrigins += 1 } }

  /// Counts a fault that has acted on a connection or a handshake, as typed.
  func count(fault: String) {
    let kind = String(fault.prefix { $0 != "=" && $0 != "," })
    counts.withLock { $0.faults[kind, default: 0] += 1 }
  }

  /// Counts an event. Called on the event loops.
  func count(_ event: ServerEvent) {
    switch event {
    case .opened(_, _, let info):
      counts.withLock { counts in
        counts.clients += 1
        counts.statuses.add(info.status)
      }
    case .refused(_, let status?, _): counts.withLock { $0.statuses.add(Int(status.code)) }
    case .malformed(_, let status?, _): counts.withLock { $0.statuses.add(Int(status.code)) }
    case .closed(_, let summary): count(summary)
    case .fault(_, let fault): count(fault: fault)
    case .program(_, .ended(let end, _)): counts.withLock { $0.programs.add(end) }
    case .program, .refused, .message, .sent, .ping, .pong, .script, .rejectedByScript,
      .ruleSkipped, .published,
      .dropped, .pingFlood, .linted, .malformed, .acceptFailed, .more:
      break
    }
  }

  private func count(_ summary: ClientSummary) {
    let (code, closer): (CloseCode, Closer) =
      switch summary.outcome {
      case .closed(let frame, by: .peer): (frame.reportedCode, .client)
      case .closed(let frame, by: .us): (frame.reportedCode, .server)
      case .failed(let violation): (violation.closeCode, .server)
      case .lost: (.abnormal, .none)
      }
    let seconds = Double(summary.duration.nanoseconds) / 1e9
    counts.withLock { counts in
      counts.closes[closer]?.add(Int(code.rawValue))
      counts.durations.add(seconds)
      if case .failed = summary.outcome { counts.violations.add(Int(code.rawValue)) }
    }
  }
}

/// How the processes of connections have ended.
struct ProgramEnds: Sendable {
  var successes: UInt64 = 0
  /// With a status other than 0.
  var errors: UInt64 = 0
  /// By a signal.
  var signals: UInt64 = 0

  mutating func add(_ end: ProgramEnd) {
    switch end {
    case .exited(0): successes += 1
    case .exited: errors += 1
    case .killed: signals += 1
    }
  }
}

/// Counts by a number that a client can influence: the label set is closed. The first numbers get
/// a count of their own, up to a limit; all further ones share one.
struct LabelledCounts: Sendable {
  private let limit: Int
  private(set) var counts: [Int: UInt64]
  private(set) var others: UInt64 = 0

  /// - Parameters:
  ///   - known: Numbers that have a count from the start.
  ///   - limit: The number of counts.
  init(known: [Int], limit: Int) {
    self.limit = limit
    counts = Dictionary(uniqueKeysWithValues: known.map { ($0, 0) })
  }

  mutating func add(_ number: Int) {
    if counts[number] != nil || counts.count < limit {
      counts[number, default: 0] += 1
    } else {
      others += 1
    }
  }
}

/// A histogram of durations.
struct DurationCounts: Sendable {
  /// Upper bounds in seconds.
  static let bounds = [0.1, 1, 10, 60, 600, 3600]

  /// Not cumulative; the last one is above all bounds.
  private(set) var buckets = [UInt64](repeating: 0, count: bounds.count + 1)
  private(set) var sum = 0.0

  mutating func add(_ seconds: Double) {
    buckets[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
    sum += seconds
  }
}
