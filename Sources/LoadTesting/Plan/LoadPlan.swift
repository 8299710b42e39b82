/// What a load test is to do, as a value. Choices that have nothing to do with each other are
/// separate fields, so that a new mode or model adds a case and multiplies nothing.
package struct LoadPlan: Sendable, Equatable {
  /// When measuring ends.
  package enum Length: Sendable, Equatable {
    /// After this many nanoseconds of measuring.
    case duration(Int64)
    /// After this many messages of all connections together.
    case messages(Int)
  }

  /// How a reply finds its message.
  package enum Matching: String, Sendable {
    /// By the id in the first sixteen bytes of the payload.
    case sequence = "seq"
    /// First in, first out.
    case fifo
  }

  /// What a message holds.
  package enum Content: Sendable, Equatable {
    /// Made up, of this many bytes.
    case generated(size: Int)
    /// Always these bytes.
    case fixed([UInt8])
  }

  /// The type of the messages.
  package enum Kind: String, Sendable {
    case text
    case binary
  }

  /// What the connections do.
  package var mode: LoadModeEntry
  /// What decides when the next message is sent.
  package var pacing: Pacing
  /// Connections, at least 1.
  package var connections: Int
  package var length: Length
  /// New connections per second.
  package var connectRate: Double
  /// Share of the connections that must be open before sending begins, from 0 to 1.
  package var minimumOpen: Double
  /// Warm-up in nanoseconds; nil for the default, which depends on the length.
  package var warmUp: Int64?
  /// After how many nanoseconds a message counts as unanswered and a connect as failed.
  package var timeout: Int64
  /// Messages a connection may have outstanding; more are not sent and counted as unsent.
  package var maxInFlight: Int
  package var content: Content
  package var kind: Kind
  /// What was asked for; see `matching` for what is done.
  package var requestedMatching: Matching?
  /// Where schedules and made-up payloads come from.
  package var seed: UInt64
  /// Event loop threads.
  package var threads: Int
  /// Which part of the run this process does; nil for all of it. Numbers of connections, messages and
  /// rates are those of the whole.
  package var shard: LoadReport.Shard?
  /// What the result must keep.
  package var thresholds: [Threshold] = []

  /// A plan; what is left out has the default of the command.
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

  /// Bytes of one message's payload.
  package var payloadSize: Int {
    switch content {
    case .generated(let size): max(0, size)
    case .fixed(let bytes): bytes.count
    }
  }

  /// How replies are matched: by id where the payload is ours and has room for one.
  package var matching: Matching {
    switch content {
    case .fixed: .fifo
    case .generated(let size): size < MessageID.length ? .fifo : requestedMatching ?? .sequence
    }
  }

  /// Warm-up in nanoseconds that is done and thrown away before measuring: as asked, or two seconds,
  /// or a tenth of a longer duration. A count of messages is sent without warm-up: then every one of
  /// them is in the report.
  package var effectiveWarmUp: Int64 {
    if let warmUp { return max(0, warmUp) }
    switch length {
    case .duration(let ns): return max(2_000_000_000, ns / 10)
    case .messages: return 0
    }
  }

  /// Whether there is CPU for loops that stay awake until a message is due. To use up what the process
  /// may have is to be kept from running for longer than any sleep is late; and shards, which may all be
  /// on this machine, would be awake at each other's expense.
  ///
  /// - Parameter host: The machine, and what of it the process may have.
  /// - Returns: Whether a core would be left for everything else.
  func staysAwake(on host: HostFacts) -> Bool {
    let loops = max(1, threads)
    if let quota = host.cpuQuota, quota < Double(loops + 1) { return false }
    let shards = max(1, shard?.count ?? 1)
    return shards == 1 || host.cores ?? 1 > shards * loops
  }

  /// How many messages each connection of the run may send while measuring, of a total that is counted:
  /// in the open model the first ones of the merged schedule, in the closed model an even share.
  ///
  /// - Returns: By connection; nil when the length is a duration.
  package func quotas() -> [Int]? {
    guard case .messages(let total) = length else { return nil }
    guard connections > 0, total > 0 else { return [] }
    if let schedule = schedule() { return schedule.quotas(ofFirst: total) }
    return (0..<connections).map { total / connections + ($0 < total % connections ? 1 : 0) }
  }

  /// The schedule of the open model.
  ///
  /// - Returns: nil in the closed model, or when rate or connections are out of range.
  package func schedule() -> SendSchedule? {
    guard case .open(let rate, let arrival) = pacing else { return nil }
    return SendSchedule(rate: rate, connections: connections, arrival: arrival, seed: seed)
  }
}
