import LoadTesting

/// The progress of a `bench` run: one line, rewritten in place on a terminal and printed at
/// intervals elsewhere. Cursor movement is done elsewhere.
struct BenchProgress {
  /// The current phase.
  var phase: LoadReport.Phase.Name
  /// Time since the start of the phase in ns.
  var elapsed: Int64
  /// The planned duration of the phase in ns, if known.
  var planned: Int64?
  /// The number of connections requested.
  var asked: Int
  /// The number of open connections.
  var open: Int
  /// The rate that the schedule requires, in messages per second; nil in the closed model.
  var targetRate: Double?
  /// The last second, once messages are being sent.
  var interval: IntervalSeries.Interval?
  /// The number of messages that wait for a reply.
  var inFlight: Int
  /// The number of failures so far.
  var errors: Int

  /// The line for a terminal of this width: the most important figures come first, and the end is
  /// cut off. If the name of the phase leaves too little room for important figures, only its time
  /// is shown.
  func line(columns: Int) -> String {
    var line = phase.rawValue + " " + time
    if (([line] + essential).joined(separator: "  ")).count > columns, interval != nil {
      line = time
    }
    for part in essential + others {
      let longer = line + "  " + part
      guard longer.count <= columns else { break }
      line = longer
    }
    return String(line.prefix(max(0, columns)))
  }

  /// The line for a file or a pipe.
  var plainLine: String {
    (["\(phase.rawValue) \(time)"] + essential + others).joined(separator: "  ")
  }

  /// The most important figures.
  private var essential: [String] {
    let percentiles = [PercentileLevel.p50, .p99].compactMap { level in
      interval.map { "p\(level.text) " + latency($0.rtt[level]) }
    }
    return percentiles + ["err \(errors)"]
  }

  private var others: [String] {
    var parts: [String] = []
    if let interval {
      parts.append("sent \(Figures.shortRate(interval.sentRate))/s" + share(interval))
      parts.append("recv \(Figures.shortRate(interval.receivedRate))/s")
    }
    parts.append(open == asked ? "open \(open)" : "open \(open)/\(asked)")
    if let interval { parts.append("max \(Figures.percentile(interval.rtt.largest))") }
    if interval != nil || inFlight > 0 { parts.append("inflight \(inFlight)") }
    if let cpu = interval?.cpu { parts.append("cpu \(Figures.decimal(cpu * 100, decimals: 0))%") }
    if let lag = interval?.loopDelay { parts.append("lag \(Figures.shortDuration(lag))") }
    return parts
  }

  private var time: String {
    let seconds = Figures.decimal(Double(max(0, elapsed) / 1_000_000_000), decimals: 0)
    guard let planned, planned > 0 else { return seconds + "s" }
    return seconds + "/" + Figures.shortDuration(planned).filter { $0 != " " }
  }

  private func share(_ interval: IntervalSeries.Interval) -> String {
    guard let targetRate, targetRate > 0 else { return "" }
    return " \(Figures.decimal(interval.sentRate / targetRate * 100, decimals: 0))%"
  }

  /// The number of missing samples would take too much room here.
  private func latency(_ percentile: Percentile?) -> String {
    percentile?.bound == nil ? Figures.none : Figures.percentile(percentile)
  }
}
