import LoadTesting

/// One quantity over time.
struct TimeStrip {
  struct Series {
    var hue: ChartHue
    var dashes: String?
    var isBars = false
    /// nil where it was not measured.
    var value: (TimeColumns.Column) -> Double?
  }

  var title: String
  /// The meaning of its lines.
  var key: String
  var series: [Series]
  /// The value at the upper edge, and its label.
  var top: Double
  var topLabel: String
  var limit: (value: Double, label: String)?
  /// What can be seen, in one sentence.
  var finding: String
}

extension TimeStrip {
  static func rates(_ report: LoadReport, _ columns: TimeColumns) -> TimeStrip? {
    guard !columns.columns.isEmpty else { return nil }
    // The rates of a short rest at the end jump about.
    let isWhole = { (column: TimeColumns.Column) in column.duration >= 250_000_000 }
    let sent = Series(hue: .blue) { isWhole($0) ? $0.rate($0.sent) : nil }
    let answered = Series(hue: .green, dashes: "5 3") {
      isWhole($0) ? $0.rate($0.received) : nil
    }
    let values = columns.columns.flatMap { [sent.value($0), answered.value($0)] }.compactMap { $0 }
    let target = report.configuration.pacing.isOpen ? report.rates.target : nil
    let top = max((values + [target ?? 0]).max() ?? 0, 1) * 1.08
    let windowRates = columns.window.compactMap(answered.value)
    let range = windowRates.min().map { low in
      "Between \(Figures.rate(low)) and \(Figures.rate(windowRates.max() ?? low)) messages a second "
        + "were answered."
    }
    return TimeStrip(
      title: "Messages per second", key: "solid: sent, dashed: answered",
      series: [sent, answered], top: top, topLabel: Figures.rate(top / 1.08),
      limit: target.map { ($0, "target \(Figures.rate($0))") }, finding: range ?? "")
  }

  static func connections(_ report: LoadReport, _ columns: TimeColumns) -> TimeStrip? {
    guard !columns.columns.isEmpty else { return nil }
    let asked = report.connections.asked
    let low = columns.window.map(\.open).min() ?? 0
    return TimeStrip(
      title: "Open connections", key: "asked for: \(Figures.count(asked))",
      series: [Series(hue: .blue) { Double($0.open) }], top: Double(max(1, asked)) * 1.08,
      topLabel: Figures.count(asked), limit: nil,
      finding: "At least \(Figures.count(low)) of \(Figures.count(asked)) connections were open.")
  }

  static func failures(_ report: LoadReport, _ columns: TimeColumns) -> TimeStrip? {
    guard !columns.columns.isEmpty else { return nil }
    let worst = columns.columns.map { max($0.errors, $0.unanswered) }.max() ?? 0
    let errors = columns.columns.reduce(0) { $0 &+ $1.errors }
    let unanswered = columns.columns.reduce(0) { $0 &+ $1.unanswered }
    return TimeStrip(
      title: "Errors",
      key: "wide: all errors, light: of these, messages given up",
      series: [
        Series(hue: .red, isBars: true) { Double($0.errors) },
        Series(hue: .gold, isBars: true) { Double($0.unanswered) },
      ], top: Double(max(1, worst)), topLabel: Figures.count(worst), limit: nil,
      finding: errors + unanswered == 0
        ? "There were no errors."
        : "There were \(Figures.count(errors)) errors, and \(Figures.count(unanswered)) messages "
          + "were given up.")
  }

  static func cpu(_ report: LoadReport, _ columns: TimeColumns) -> TimeStrip? {
    guard let highest = columns.columns.compactMap(\.cpu).max() else { return nil }
    return TimeStrip(
      title: "CPU of this client", key: "busiest loop thread",
      series: [Series(hue: .purple) { $0.cpu }], top: 1, topLabel: "100 %",
      limit: (0.7, "suspect above 70 %"),
      finding:
        "The busiest loop thread used up to \(Figures.percent(highest, decimals: 0)) of a core.")
  }

  static func loopDelay(_ report: LoadReport, _ columns: TimeColumns) -> TimeStrip? {
    guard let highest = columns.columns.compactMap(\.loopDelay).max() else { return nil }
    let top = max(Double(highest) * 1.08, 1_250_000)
    return TimeStrip(
      title: "Loop delay of this client", key: "p99",
      series: [Series(hue: .purple) { $0.loopDelay.map(Double.init) }], top: top,
      topLabel: Figures.duration(Int64(top / 1.08)),
      limit: (1_000_000, "suspect above 1 ms"),
      finding: "The delay of the event loops was up to \(Figures.duration(highest)).")
  }
}
