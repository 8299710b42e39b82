/// The plan of a load test. Independent choices are separate fields, so a new mode or load model
/// only adds one case.
package struct LoadPlan: Sendable, Equatable {
  /// When the window ends.
  package enum Length: Sendable, Equatable {
    /// After this many nanoseconds.
    case duration(Int64)
    /// After this many messages on all connections together.
    case messages(Int)
  }

  /// How replies are matched to messages.
  package enum Matching: String, Sendable {
    /// By the ID in the first sixteen bytes of the payload.
    case sequence = "seq"
    /// In order: each reply answers the oldest message.
    case fifo
  }

  /// The payload of the messages.
  package enum Content: Sendable, Equatable {
    /// Generated, with this many bytes.
    case generated(size: Int)
    /// The same bytes in every message.
    case fixed([UInt8])
  }

  /// The type of the messages.
  package enum Kind: String, Sendable {
    case text
    case binary
  }

  /// The mode, which decides what the connections do.
  package var mode: LoadModeEntry
  /// The load model, which decides when the next message is sent.
  package var pacing: Pacing
  /// The number of connections of the whole run, at least 1.
  package var connections: Int
  package var length: Length
  /// New connections per second, on all event loops together.
  package var connectRate: Double
  /// The share of connections that must be open before sending starts, from 0 to 1.
  package var minimumOpen: Double
  /// Warm-up in nanoseconds; nil for the default, which depends on `length`.
  package var warmUp: Int64?
  /// Time in nanoseconds after which a message counts as unanswered.
  package var timeout: Int64
  /// Maximum number of outstanding messages per connection; further messages count as unsent.
  package var maxInFlight: Int
  package var content: Content
  package var kind: Kind
  /// The requested matching; `matching` is the one in effect.
  package var requestedMatching: Matching?
  /// The seed of schedules and generated payloads.
  package var seed: UInt64
  /// The number of event loop threads.
  package var threads: Int
  /// The part of the run that this process does; nil for all of it. Connections, messages and rate
  /// in this plan are those of the whole run.
  package var shard: LoadReport.Shard?
  /// When connecting begins, in nanoseconds since 1970, UTC; nil for at once. Sending then begins when every
  /// shard has had time to connect: see `opening`.
  package var startAt: Int64?
  /// Limits on the result.
  package var thresholds: [Threshold] = []
  /// Whether to judge the measurement, beyond whether its counts add up.
  package var checksItself = true

  /// Creates a plan. Most parameters default to the values of the command.
  package init(
    mode: LoadModeEntry = LoadModes.echo, pacing: Pacing = .closed(inflight: 1),
    connections: Int = 50,
    length: Length = .duration(30_000_000_000), connectRate: Double = 500,
    minimumOpen: Double = 1, warmUp: Int64? = nil, timeout: Int64 = 5_000_000_000,
    maxInFlight: Int = 1024, content: Content = .generated(size: 64), kind: Kind = .text,
    matching: Matching? = nil, seed: UInt64, threads: Int = 1, shard: LoadReport.Shard? = nil
  ) {
    self.mode = mode
    self.pacing = pacing
    self.connections = connections
    self.length = length
    self.connectRate = connectRate
    self.minimumOpen = minimumOpen
    self.warmUp = warmUp
    self.timeout = timeout
    self.maxInFlight = maxInFlight
    self.content = content
    self.kind = kind
    self.requestedMatching = matching
    self.seed = seed
    self.threads = threads
    self.shard = shard
  }

  /// The payload size of one message in bytes.
  package var payloadSize: Int {
    switch content {
    case .generated(let size): max(0, size)
    case .fixed(let bytes): bytes.count
    }
  }

  /// The matching in effect: in order if the payload is fixed or too short for an ID.
  package var matching: Matching {
    switch content {
    case .fixed: .fifo
    case .generated(let size): size < MessageID.length ? .fifo : requestedMatching ?? .sequence
    }
  }

  /// The warm-up in effect, in nanoseconds. The default is a tenth of the duration, but at least
  /// two seconds. With a message count there is no warm-up by default, so the report covers every
  /// message.
  package var effectiveWarmUp: Int64 {
    if let warmUp { return max(0, warmUp) }
    switch length {
    case .duration(let ns): return max(2_000_000_000, ns / 10)
    case .messages: return 0
    }
  }

  /// Whether there is enough CPU for loops to poll until a message is due. A process that uses up
  /// its CPU quota is stopped for longer than a sleeping loop would be late. Shards count because
  /// they may all run on this machine and would compete for its cores.
  ///
  /// - Parameter host: The machine and the CPU quota of the process.
  /// - Returns: Whether a core would be left for everything else.
  func staysAwake(on host: HostFacts) -> Bool {
    let loops = max(1, threads)
    if let quota = host.cpuQuota, quota < Double(loops + 1) { return false }
    let shards = max(1, shard?.count ?? 1)
    return shards == 1 || host.cores ?? 1 > shards * loops
  }

  /// How a message count is divided among the connections of the run: in the open model by the
  /// merged schedule, in the closed model evenly.
  ///
  /// - Returns: Messages by connection number; nil if the length is a duration.
  package func quotas() -> [Int]? {
    guard case .messages(let total) = length else { return nil }
    guard connections > 0, total > 0 else { return [] }
    if let schedule = schedule() { return schedule.quotas(ofFirst: total) }
    return (0..<connections).map { total / connections + ($0 < total % connections ? 1 : 0) }
  }

  /// The schedule of the open model.
  ///
  /// - Returns: nil in the closed model, or if rate or connections are out of range.
  package func schedule() -> SendSchedule? {
    guard case .open(let rate, let arrival) = pacing else { return nil }
    return SendSchedule(rate: rate, connections: connections, arrival: arrival, seed: seed)
  }
}
