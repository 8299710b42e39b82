import LoadTesting

/// How a run of `bench` stands: one line, rewritten in place on a terminal and printed now and then
/// elsewhere. Moving the cursor is not done here.
struct BenchProgress {
  /// Where the run is.
  var phase: LoadReport.Phase.Name
  /// Nanoseconds since the phase began.
  var elapsed: Int64
  /// How long the phase will take in nanoseconds, where that is known.
  var planned: Int64?
  /// Connections asked for.
  var asked: Int
  /// Connections open.
  var open: Int
  /// What the schedule asks for in messages per second; nil in the closed model.
  var targetRate: Double?
  /// The last second, once messages are sent.
  var interval: IntervalSeries.Interval?
  /// Messages that wait for an answer.
  var inFlight: Int
  /// Failures so far.
  var errors: Int

  /// The line for a terminal of that width: the parts that matter least are left out first.
  func line(columns: Int) -> String {
    var parts = parts
    while parts.count > 1, parts.joined(separator: "  ").count > columns { parts.removeLast() }
    return String(parts.joined(separator: "  ").prefix(max(0, columns)))
  }

  /// The line for a file or a pipe.
  var plainLine: String { parts.joined(separator: "  ") }

  private var parts: [String] {
    var parts = ["\(phase.rawValue) \(time)"]
    parts.append(open == asked ? "open \(open)" : "open \(open)/\(asked)")
    if let interval {
      parts.append("sent \(Figures.shortRate(interval.sentRate))/s" + share(interval))
      parts.append("recv \(Figures.shortRate(interval.receivedRate))/s")
      parts.append(latency(interval.rtt))
    }
    if interval != nil || inFlight > 0 { parts.append("inflight \(inFlight)") }
    parts.append("err \(errors)")
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

  private func latency(_ rtt: LatencySummary) -> String {
    let figures = [PercentileLevel.p50, .p99].map { level in
      // The needed number of samples would take too much room here.
      rtt[level]?.bound == nil
        ? "p\(level.text) \(Figures.none)" : "p\(level.text) \(Figures.percentile(rtt[level]))"
    }
    return (figures + ["max \(Figures.percentile(rtt.largest))"]).joined(separator: " ")
  }
}
