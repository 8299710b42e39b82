import Conversation

extension LatencySummary {
  /// The samples as a histogram, from `hdr`; nil without `hdr`. Values are accurate to 0.1 %; of
  /// the censored samples, only their number and their smallest and largest bound are known.
  var histogram: LatencyHistogram? {
    guard let hdr, let buckets = try? HistogramCodec.buckets(hdr) else { return nil }
    var histogram = LatencyHistogram(buckets, min: min, max: max)
    guard censored > 0, let floor = censoredFloor else { return histogram }
    // The bounds in between are not stored. The smallest bound is safe for all but one of them.
    histogram.recordCensored(1, atLeast: censoredCeiling ?? floor)
    histogram.recordCensored(censored - 1, atLeast: floor)
    return histogram
  }

  /// The percentile at any level, from the summary or else from `hdr`; nil without either.
  package func percentile(_ level: PercentileLevel) -> Percentile? {
    self[level] ?? histogram?.percentile(level)
  }

  func showing(_ levels: [PercentileLevel]) -> LatencySummary {
    var summary = self
    let histogram = levels.allSatisfy { self[$0] != nil } ? nil : histogram
    summary.percentiles = levels.compactMap { level in
      (self[level] ?? histogram?.percentile(level)).map { Row(level, $0) }
    }
    return summary
  }

  func write(to json: inout JSONWriter, unit: String) {
    json.member("unit", unit)
    json.member("count", count)
    json.member("censored", censored)
    json.member("min", min)
    json.member("max", largest?.bound)
    if censored > 0 {
      json.member("max_censored", true)
      json.member("max_answered", max)
      json.member("censored_floor", censoredFloor)
      json.member("censored_ceiling", censoredCeiling)
    }
    json.member("percentiles") { json in
      for row in percentiles {
        json.member(row.level.text) { row.percentile.write(to: &$0, largest: largest) }
      }
    }
    if let hdr { json.member("hdr", hdr) }
  }

  /// - Throws: `ResultError`, also if `hdr` has other limits or its total differs from `count`.
  init(_ json: ResultValue, unit: String) throws(ResultError) {
    let stored = try json.member("unit")
    guard try stored.text() == unit else { throw stored.error("not \(unit)") }
    let count: Int = try json.member("count").integer()
    let censored: Int = try json.member("censored").integer()
    guard count >= 0, censored >= 0 else { throw json.error("counts below 0") }
    var rows: [Row] = []
    for (name, value) in try json.member("percentiles").members() {
      guard let level = PercentileLevel(name) else { throw value.error("not a percentile") }
      rows.append(Row(level, try Percentile(value)))
    }
    self.init(
      count: count, censored: censored, min: try json.optionalInteger("min"),
      max: try json.optionalInteger(censored > 0 ? "max_answered" : "max"),
      percentiles: rows)
    if censored > 0 {
      censoredFloor = try json.optionalInteger("censored_floor")
      censoredCeiling = try json.optionalInteger("censored_ceiling")
    }
    guard let payload = try json.optional("hdr") else { return }
    let text = try payload.text()
    do throws(HistogramCodec.Failure) {
      let total = try HistogramCodec.buckets(text).total
      guard total == count else { throw .init(problem: "\(total) samples instead of \(count)") }
    } catch {
      throw payload.error(error.problem)
    }
    hdr = text
  }
}

extension Percentile {
  /// `v` is always present, because many tools sort null below all numbers: it is the lower bound
  /// if the rank belongs to a censored sample, and the largest sample if there are too few samples.
  func write(to json: inout JSONWriter, largest: Percentile?) {
    switch self {
    case .value(let ns):
      json.member("v", ns)
    case .atLeast(let ns):
      json.member("v", ns)
      json.member("at_least", ns)
      json.member("censored", true)
    case .tooFewSamples(let needed):
      json.member("v", largest?.bound)
      json.member("needs_samples", needed)
      if case .atLeast? = largest { json.member("censored", true) }
    }
  }

  init(_ json: ResultValue) throws(ResultError) {
    if let needed = try json.optionalInteger("needs_samples", Int.self) {
      self = .tooFewSamples(needed: needed)
    } else if let bound = try json.optionalInteger("at_least", Int64.self) {
      self = .atLeast(bound)
    } else {
      self = .value(try json.member("v").integer())
    }
  }
}

extension HeatBuckets {
  /// Writes `[first, n, n, -gap, n…]`: the index of the first bucket, then its count and those of
  /// the following buckets; `-gap` skips that many empty ones. The array is empty without samples.
  func write(to json: inout JSONWriter) {
    json.array { json in
      guard var next = cells.first?.bucket else { return }
      json.integer(next)
      for cell in cells {
        if cell.bucket > next { json.integer(next - cell.bucket) }
        json.integer(cell.count)
        next = cell.bucket + 1
      }
    }
  }

  init(_ json: ResultValue) throws(ResultError) {
    let numbers = try json.elements()
    guard let first = numbers.first else {
      self.init()
      return
    }
    var next: Int = try first.integer()
    var total = 0
    var cells: [Cell] = []
    for number in numbers.dropFirst() {
      let count: Int = try number.integer()
      guard count != 0, HeatBuckets.range.contains(next) else {
        throw number.error("not a count of a bucket")
      }
      if count < 0 {
        // A gap beyond the last bucket is rejected with the count after it.
        next += Swift.min(HeatBuckets.range.count, 0 - Swift.max(count, -HeatBuckets.range.count))
        continue
      }
      guard count <= Int.max - total else { throw number.error("counts beyond 2^63") }
      total += count
      cells.append(Cell(bucket: next, count: count))
      next += 1
    }
    self.init(cells)
  }
}

extension LoadReport {
  /// One interval of the run.
  package struct Interval: Sendable, Equatable {
    /// When it began, in nanoseconds since the start of the window; below 0 in the warm-up.
    package var start: Int64
    /// Its duration in nanoseconds.
    package var duration: Int64
    /// Messages sent in it.
    package var sent: Int
    /// Answers received in it, to messages of the same stretch (warm-up or window).
    package var received: Int
    /// Connections open at its end.
    package var open: Int
    /// Messages waiting for an answer at its end.
    package var waiting: Int
    /// Messages given up in it after the timeout.
    package var unanswered: Int
    /// Percentiles of the round trips that ended in it; the largest round trip where there are too
    /// few samples, nil without samples.
    package var p50: Percentile?
    package var p90: Percentile?
    package var p99: Percentile?
    package var max: Percentile?
    /// Failures in it.
    package var errors: Int
    /// CPU share of the busiest loop thread, 1 for a whole core; nil if not measured.
    package var cpu: Double?
    /// p99 delay of the slowest event loop in nanoseconds; nil if not measured.
    package var loopDelay: Int64?
    /// The main metric of the mode in buckets; the counts add up to `received`.
    package var heat: HeatBuckets

    /// Creates the report of an interval.
    ///
    /// - Parameters:
    ///   - interval: The figures of the interval.
    ///   - heat: Its round trips in buckets.
    package init(_ interval: IntervalSeries.Interval, heat: HeatBuckets) {
      let largest = interval.rtt.largest
      func shown(_ level: PercentileLevel) -> Percentile? {
        let percentile = interval.rtt[level]
        return percentile?.bound == nil ? largest : percentile
      }
      start = interval.start
      duration = interval.duration
      sent = interval.sent
      received = interval.received
      open = interval.open
      waiting = interval.waiting
      unanswered = interval.unanswered
      p50 = shown(.p50)
      p90 = shown(.p90)
      p99 = shown(.p99)
      max = largest
      errors = interval.errors
      cpu = interval.cpu
      loopDelay = interval.loopDelay
      self.heat = heat
    }

    func write(to json: inout JSONWriter) {
      json.object { json in
        json.member("t", start)
        json.member("dur", duration)
        json.member("sent", sent)
        json.member("recv", received)
        json.member("open", open)
        let figures = [("p50", p50), ("p90", p90), ("p99", p99), ("max", max)]
        for (name, figure) in figures { json.member(name, figure?.bound) }
        json.member("err", errors)
        json.member("unanswered", unanswered)
        json.member("waiting", waiting)
        json.member("cpu", cpu)
        json.member("lag_p99", loopDelay)
        // The names of the figures that are lower bounds.
        let bounds = figures.compactMap { name, figure in
          if case .atLeast? = figure { name } else { nil }
        }
        if !bounds.isEmpty { json.member("censored", array: bounds) { $0.string($1) } }
        json.key("heat")
        heat.write(to: &json)
      }
    }

    init(_ json: ResultValue) throws(ResultError) {
      var bounds: [String] = []
      if let censored = try json.optional("censored") {
        for name in try censored.elements() { bounds.append(try name.text()) }
      }
      func figure(_ name: String) throws(ResultError) -> Percentile? {
        guard let ns = try json.optionalInteger(name, Int64.self) else { return nil }
        return bounds.contains(name) ? .atLeast(ns) : .value(ns)
      }
      start = try json.member("t").integer()
      duration = try json.member("dur").integer()
      sent = try json.member("sent").integer()
      received = try json.member("recv").integer()
      open = try json.member("open").integer()
      waiting = try json.member("waiting").integer()
      unanswered = try json.member("unanswered").integer()
      p50 = try figure("p50")
      p90 = try figure("p90")
      p99 = try figure("p99")
      max = try figure("max")
      errors = try json.member("err").integer()
      cpu = try json.optionalNumber("cpu")
      loopDelay = try json.optionalInteger("lag_p99")
      heat = try HeatBuckets(json.member("heat"))
    }
  }
}
