extension LoadReport {
  /// The sum of the results of two parts of a run: counts are added, histograms bucket by bucket, and
  /// percentiles are read from the sums, never averaged. It does not matter in which order parts are added.
  ///
  /// - Parameter other: Other parts of the same run; see `ShardMerge` for what must agree.
  /// - Throws: When the histogram of a metric is missing.
  /// - Returns: A result with a row for each part, not yet judged.
  func adding(_ other: LoadReport) throws(ResultError) -> LoadReport {
    var sum = self
    sum.shards = (parts + other.parts).sorted { $0.shard.index < $1.shard.index }
    sum.run = Run(run, other.run)
    sum.target.addresses = Set(target.addresses + other.target.addresses).sorted()
    sum.configuration.threads = max(configuration.threads, other.configuration.threads)
    sum.addWindow(of: other)

    sum.connections = Connections(
      asked: connections.asked &+ other.connections.asked,
      opened: connections.opened &+ other.connections.opened,
      failed: connections.failed &+ other.connections.failed,
      lost: connections.lost &+ other.connections.lost)
    sum.messages.merge(other.messages)
    sum.metrics = try Self.sum(metrics, other.metrics)
    sum.rates = Rates(
      target: rates.target.map { $0 + (other.rates.target ?? 0) },
      sent: rates.sent + other.rates.sent, answered: rates.answered + other.rates.answered)
    sum.payload.add(other.payload)
    sum.wire.add(other.wire)
    sum.compression = Compression.sum(compression, other.compression)
    sum.warmUp.merge(other.warmUp)
    // The shortest window is the one to report.
    let cuts = [cutShort, other.cutShort].compactMap(\.self)
    sum.cutShort = cuts.min {
      ($0.measured, $0.cause.rawValue) < ($1.measured, $1.cause.rawValue)
    }
    sum.planned = planned &+ other.planned
    let (own, others) = (Double(connections.asked), Double(other.connections.asked))
    if own + others > 0 {
      sum.connectedShare =
        (connectedShare * own + other.connectedShare * others) / (own + others)
    }
    sum.unmatched = unmatched &+ other.unmatched
    var errors = ErrorTally(self.errors)
    errors.merge(ErrorTally(other.errors))
    sum.errors = errors.entries
    var closes = CloseTally(self.closes)
    closes.merge(CloseTally(other.closes))
    sum.closes = closes.entries
    sum.selfCheck = selfCheck.combined(with: other.selfCheck)
    sum.host = host.inCommon(with: other.host)
    sum.isChecked = isChecked && other.isChecked
    sum.verdict = Verdict(reasons: verdict.reasons + other.verdict.reasons)
    sum.thresholds = thresholds + other.thresholds.filter { !thresholds.contains($0) }
    return sum
  }

  private static func sum(
    _ own: [Metric: LatencySummary], _ others: [Metric: LatencySummary]
  ) throws(ResultError) -> [Metric: LatencySummary] {
    var sum = own
    for (metric, summary) in others {
      guard let mine = own[metric] else {
        sum[metric] = summary
        continue
      }
      guard let merged = mine.adding(summary) else {
        throw ResultError(
          path: "metrics.\(metric.key).hdr", problem: "missing, so it cannot be merged")
      }
      sum[metric] = merged
    }
    return sum
  }
}

extension LatencySummary {
  /// The summary of both; nil if a side has values without a histogram.
  fileprivate func adding(_ other: LatencySummary) -> LatencySummary? {
    guard let own = storedBuckets, let others = other.storedBuckets else { return nil }
    let buckets = own.adding(others)
    var sum = LatencySummary(
      count: count &+ other.count, censored: censored &+ other.censored,
      min: [min, other.min].compactMap(\.self).min(),
      max: [max, other.max].compactMap(\.self).max(),
      censoredFloor: [censoredFloor, other.censoredFloor].compactMap(\.self).min(),
      censoredCeiling: [censoredCeiling, other.censoredCeiling].compactMap(\.self).max(),
      percentiles: [], hdr: HistogramCodec.encode(buckets))
    let levels = percentiles.map(\.level)
    let further = other.percentiles.map(\.level).filter { !levels.contains($0) }
    if let histogram = sum.histogram {
      let all = (levels + further).sorted()
      sum.percentiles = zip(all, histogram.percentiles(all)).map { Row($0, $1) }
    }
    return sum
  }

  private var storedBuckets: HistogramBuckets? {
    if count == 0 { return HistogramBuckets() }
    return hdr.flatMap { try? HistogramCodec.buckets($0) }
  }
}

extension HistogramBuckets {
  /// The counts of both, bucket by bucket.
  func adding(_ other: HistogramBuckets) -> HistogramBuckets {
    var sum = HistogramBuckets(capacity: max(entries.count, other.entries.count))
    var (left, right) = (entries[...], other.entries[...])
    while let index = [left.first?.index, right.first?.index].compactMap(\.self).min() {
      var count = 0
      if left.first?.index == index { count &+= left.removeFirst().count }
      if right.first?.index == index { count &+= right.removeFirst().count }
      sum.append(index: index, count: count)
    }
    return sum
  }
}

extension LoadReport.Run {
  /// The run that two parts belong to.
  fileprivate init(_ one: Self, _ other: Self) {
    self = (one.started, one.id) <= (other.started, other.id) ? one : other
    shard = nil
    tags = one.tags.merging(other.tags) { min($0, $1) }
    // From the best end to the worst.
    let order: [Ending] = [.completed, .aborted, .interrupted, .allLost, .notOpened]
    ended = order.last { $0 == one.ended || $0 == other.ended } ?? .completed
  }
}

extension LoadReport.Traffic {
  fileprivate mutating func add(_ other: Self) {
    sent &+= other.sent
    received &+= other.received
  }
}

extension LoadReport.Compression {
  fileprivate static func sum(_ one: Self?, _ other: Self?) -> Self? {
    guard let one, let other else { return one ?? other }
    return Self(
      sentFrom: one.sentFrom &+ other.sentFrom, sentTo: one.sentTo &+ other.sentTo,
      receivedFrom: one.receivedFrom &+ other.receivedFrom,
      receivedTo: one.receivedTo &+ other.receivedTo)
  }
}

extension SelfCheck {
  /// The worse of two generators in each check.
  fileprivate func combined(with other: SelfCheck) -> SelfCheck {
    var worst = self
    if let theirs = other.busiestLoop, theirs > busiestLoop ?? -1 {
      worst.busiestLoop = theirs
      worst.awake = other.awake
    }
    worst.host = [host, other.host].compactMap(\.self).max()
    worst.loopDelayP99 = [loopDelayP99, other.loopDelayP99].compactMap(\.self).max()
    worst.files = [files, other.files].compactMap(\.self).max {
      ($0.share, $0.used) < ($1.share, $1.used)
    }
    worst.throttling = [throttling, other.throttling].compactMap(\.self).max {
      ($0.share, $0.throttled) < ($1.share, $1.throttled)
    }
    worst.latency = latency.worse(other.latency)
    worst.throughput = throughput.worse(other.throughput)
    worst.backlog = [backlog, other.backlog].compactMap(\.self).min()
    return worst
  }
}

extension SelfCheck.Files {
  fileprivate var share: Double { limit > 0 ? Double(used) / Double(limit) : 0 }
}

extension SelfCheck.Throttling {
  fileprivate var share: Double { periods > 0 ? Double(throttled) / Double(periods) : 0 }
}

extension Steadiness {
  /// The larger drift; steady only where both are.
  fileprivate func worse(_ other: Steadiness) -> Steadiness {
    switch (self, other) {
    case (.drifting(let one), .drifting(let two)):
      (one.magnitude, one) >= (two.magnitude, two) ? self : other
    case (.drifting, _): self
    case (_, .drifting): other
    case (.unknown, _), (_, .unknown): .unknown
    case (.steady, .steady): .steady
    }
  }
}

extension HostFacts {
  /// What two machines have in common; nil for what differs.
  fileprivate func inCommon(with other: HostFacts) -> HostFacts {
    func same<Value: Equatable>(_ value: KeyPath<HostFacts, Value?>) -> Value? {
      self[keyPath: value] == other[keyPath: value] ? self[keyPath: value] : nil
    }
    var facts = HostFacts()
    facts.name = same(\.name)
    facts.system = same(\.system)
    facts.kernel = same(\.kernel)
    facts.machine = same(\.machine)
    facts.processor = same(\.processor)
    facts.cores = same(\.cores)
    facts.cpuQuota = same(\.cpuQuota)
    facts.governor = same(\.governor)
    facts.memory = same(\.memory)
    facts.fileLimit = same(\.fileLimit)
    facts.fileLimitHard = same(\.fileLimitHard)
    facts.portRange = same(\.portRange)
    facts.listenBacklog = same(\.listenBacklog)
    facts.congestionControl = same(\.congestionControl)
    return facts
  }
}
