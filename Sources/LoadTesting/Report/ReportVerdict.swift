import Conversation

extension Verdict {
  /// Writes state and reasons. Each reason has a sentence for people, which is not read back.
  func write(to json: inout JSONWriter, text: (Finding) -> String) {
    json.member("state", state.rawValue)
    json.member("reasons", array: reasons) { json, reason in
      json.object { json in
        json.member("state", reason.state.rawValue)
        json.member("check", reason.finding.check.rawValue)
        json.member("text", text(reason.finding))
        reason.finding.write(to: &json)
      }
    }
  }

  init(_ json: ResultValue) throws(ResultError) {
    self.init(
      reasons: try json.list("reasons") { reason throws(ResultError) in
        Reason(try reason.member("state").word(), try Finding(reason))
      })
    let stored = try json.member("state")
    let state: State = try stored.word()
    guard state == self.state else { throw stored.error("not the worst of the reasons") }
  }
}

extension Verdict.Finding {
  /// The name of a check in results.
  package enum Check: String, CaseIterable, Sendable {
    case accounting
    case nothingMeasured = "nothing_measured"
    case target
    case connections
    case cutShort = "cut_short"
    case matching
    case noAnswers = "no_answers"
    case unanswered
    case backlog
    case late
    case loopDelay = "loop_delay"
    case busyLoop = "cpu_loop"
    case busyHost = "cpu_host"
    case throttled
    case overloaded
    case latencyDrift = "steady_latency"
    case throughputDrift = "steady_throughput"
    case files = "fds"
    case missingShards = "missing_shards"
    case windowsApart = "windows_apart"
    case slowShard = "slow_shard"
    case sameCeiling = "uniform_ceiling"
    case oneShard = "one_worker"
  }

  /// The check that reports this finding.
  package var check: Check {
    switch self {
    case .accounting, .contradiction: .accounting
    case .nothingMeasured: .nothingMeasured
    case .belowTarget: .target
    case .fewerConnections: .connections
    case .cutShort: .cutShort
    case .matching: .matching
    case .noAnswers: .noAnswers
    case .unanswered: .unanswered
    case .backlog: .backlog
    case .late: .late
    case .loopDelay: .loopDelay
    case .busyLoop: .busyLoop
    case .busyHost: .busyHost
    case .throttled: .throttled
    case .overloaded: .overloaded
    case .latencyDrift: .latencyDrift
    case .throughputDrift: .throughputDrift
    case .files: .files
    case .missingShards: .missingShards
    case .windowsApart: .windowsApart
    case .slowShard: .slowShard
    case .sameCeiling: .sameCeiling
    case .oneShard: .oneShard
    }
  }

  /// Writes the numbers: `value` is the judged number, `of` is its total or its limit.
  func write(to json: inout JSONWriter) {
    switch self {
    case .nothingMeasured, .cutShort, .noAnswers:
      break
    case .accounting(let count), .matching(let count), .overloaded(let count):
      json.member("value", count)
    case .contradiction(let sums):
      json.member("sums", sums)
    case .belowTarget(let share, let missing, let dropped):
      json.member("value", share)
      json.member("no_connection", missing)
      json.member("dropped", dropped)
    case .unanswered(let count, let whole), .throttled(let count, let whole),
      .files(let count, let whole), .missingShards(let count, let whole):
      json.member("value", count)
      json.member("of", whole)
    case .late(let p99, let roundTrip):
      json.member("value", p99)
      json.member("rtt_p50", roundTrip)
    case .loopDelay(let p99):
      json.member("value", p99)
    case .fewerConnections(let share), .backlog(let share), .busyLoop(let share),
      .busyHost(let share), .latencyDrift(let share), .throughputDrift(let share),
      .windowsApart(let share):
      json.member("value", share)
    case .slowShard(let measured, let planned):
      json.member("value", measured)
      json.member("of", planned)
    case .sameCeiling(let shards, let opened):
      json.member("value", opened)
      json.member("shards", shards)
    case .oneShard(let index, let p99, let median):
      json.member("value", p99)
      json.member("of", median)
      json.member("shard", index)
    }
  }

  init(_ json: ResultValue) throws(ResultError) {
    func count(_ name: String = "value") throws(ResultError) -> Int {
      try json.member(name).integer()
    }
    func share() throws(ResultError) -> Double { try json.member("value").number() }
    func duration() throws(ResultError) -> Int64 { try json.member("value").integer() }
    let check: Check = try json.member("check").word()
    switch check {
    case .accounting:
      if let sums = try json.optionalInteger("sums", Int.self) {
        self = .contradiction(sums: sums)
      } else {
        self = .accounting(difference: try count())
      }
    case .nothingMeasured: self = .nothingMeasured
    case .target:
      self = .belowTarget(
        share: try share(), missing: try count("no_connection"), dropped: try count("dropped"))
    case .connections: self = .fewerConnections(share: try share())
    case .cutShort: self = .cutShort
    case .matching: self = .matching(replies: try count())
    case .noAnswers: self = .noAnswers
    case .unanswered: self = .unanswered(try count(), of: try count("of"))
    case .backlog: self = .backlog(answered: try share())
    case .late: self = .late(p99: try duration(), roundTrip: try json.optionalInteger("rtt_p50"))
    case .loopDelay: self = .loopDelay(p99: try duration())
    case .busyLoop: self = .busyLoop(share: try share())
    case .busyHost: self = .busyHost(share: try share())
    case .throttled: self = .throttled(try count(), of: try count("of"))
    case .overloaded: self = .overloaded(unsent: try count())
    case .latencyDrift: self = .latencyDrift(change: try share())
    case .throughputDrift: self = .throughputDrift(change: try share())
    case .files: self = .files(used: try count(), limit: try count("of"))
    case .missingShards: self = .missingShards(try count(), of: try count("of"))
    case .windowsApart: self = .windowsApart(overlap: try share())
    case .slowShard:
      self = .slowShard(measured: try duration(), planned: try json.member("of").integer())
    case .sameCeiling: self = .sameCeiling(shards: try count("shards"), opened: try count())
    case .oneShard:
      self = .oneShard(
        index: try count("shard"), p99: try duration(), median: try json.member("of").integer())
    }
  }
}
