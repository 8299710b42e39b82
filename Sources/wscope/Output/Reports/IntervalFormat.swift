import Conversation
import LoadTesting

/// A format of the course of a run. Its text grows with each stretch.
enum IntervalFormat: Sendable {
  /// Comma-separated values, a row for each interval.
  case csv
  /// The log format 1.3 of HdrHistogram, a line for each stretch and metric.
  case histogramLog

  /// The text before the first stretch.
  ///
  /// - Parameter started: When the run started, in nanoseconds since 1970, UTC.
  /// - Returns: Whole lines.
  func header(started: Int64) -> String {
    switch self {
    case .csv:
      "t_s,dur_s,phase,target,sent,received,open,errors,unanswered,p50_ms,p99_ms,max_ms,cpu,"
        + "loop_delay_ms\n"
    case .histogramLog:
      """
      #[Histogram log format version 1.3]
      #[StartTime: \(Figures.decimal(Double(started / 1_000_000) / 1e3, decimals: 3)) \
      (seconds since epoch), \(UTCTime(started).text)]
      "StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"

      """
    }
  }

  /// The lines of one stretch, which may be none.
  ///
  /// - Parameters:
  ///   - stretch: The figures to show.
  ///   - targetRate: Messages per second that the run should send; nil in the closed model.
  /// - Returns: Whole lines.
  func lines(_ stretch: LoadStretch, targetRate: Double?) -> String {
    switch self {
    case .csv: stretch.interval.map { Self.row($0, targetRate: targetRate) } ?? ""
    case .histogramLog: Self.tagged(stretch)
    }
  }

  /// The course of a run that is over.
  func text(_ report: LoadReport) -> String {
    header(started: report.run.started)
      + report.stretches.map { lines($0, targetRate: report.ownRate) }.joined()
  }

  private static func row(_ interval: LoadReport.Interval, targetRate: Double?) -> String {
    func milliseconds(_ ns: Int64?) -> String { ns.map { scaled($0, decimals: 6) } ?? "" }
    let fields = [
      scaled(interval.start, decimals: 9), scaled(interval.duration, decimals: 9),
      (interval.start < 0 ? LoadReport.Phase.Name.warmUp : .measure).rawValue,
      targetRate.map { withoutZeros(Figures.decimal($0, decimals: 3)) } ?? "",
      "\(interval.sent)", "\(interval.received)", "\(interval.open)", "\(interval.errors)",
      "\(interval.unanswered)", milliseconds(interval.p50?.bound),
      milliseconds(interval.p99?.bound), milliseconds(interval.max?.bound),
      interval.cpu.map { Figures.decimal($0, decimals: 4) } ?? "",
      milliseconds(interval.loopDelay),
    ]
    return fields.joined(separator: ",") + "\n"
  }

  private static func tagged(_ stretch: LoadStretch) -> String {
    Metric.allCases.compactMap { metric -> String? in
      guard let samples = stretch.samples[metric], let hdr = samples.hdr else { return nil }
      return "Tag=\(metric.key),\(scaled(stretch.start, decimals: 9)),"
        + "\(scaled(stretch.duration, decimals: 9)),\(scaled(samples.max ?? 0, decimals: 6)),\(hdr)\n"
    }.joined()
  }

  /// A whole number divided by a power of ten, exactly: 1 500 000 with six decimals is `1.5`.
  static func scaled(_ number: Int64, decimals: Int) -> String {
    var divisor: UInt64 = 1
    for _ in 0..<decimals { divisor *= 10 }
    let fraction = String(divisor + number.magnitude % divisor).dropFirst()
    let text = "\(number < 0 ? "-" : "")\(number.magnitude / divisor).\(fraction)"
    return withoutZeros(text)
  }

  private static func withoutZeros(_ text: String) -> String {
    var rest = text[...]
    while rest.last == "0" { rest.removeLast() }
    if rest.last == "." { rest.removeLast() }
    return String(rest)
  }
}
