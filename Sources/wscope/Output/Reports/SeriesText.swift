import LoadTesting

/// The results of one run that was made several times: median and range of each figure.
struct SeriesText {
  private let reports: [LoadReport]

  init(_ reports: [LoadReport]) { self.reports = reports }

  /// Every line ended by LF; empty without results.
  var text: String {
    guard let first = reports.first else { return "" }
    let mode = first.configuration.mode
    let heading =
      Figures.left("\(reports.count) run\(reports.count == 1 ? "" : "s")", 14)
      + Figures.left("median", 14) + Figures.left("min", 14) + "max"
    let levels: [PercentileLevel] = [.p50, .p90, .p99, .p999]
    var lines = [first.target.url, heading]
    for level in levels {
      let values = reports.compactMap { $0.metrics[mode.headline]?.percentile(level)?.bound }
      guard values.count == reports.count else { continue }
      lines.append(
        row("\(mode.headline.key).p\(level.text)", values.map(Double.init)) {
          Figures.duration(Int64($0))
        })
    }
    lines.append(row("rate.answered", reports.map(\.rates.answered)) { Figures.rate($0) + "/s" })
    let invalid = reports.count { $0.verdict.state == .invalid }
    let suspect = reports.count { $0.verdict.state == .suspect }
    if invalid + suspect > 0 {
      let verdicts = [(invalid, "invalid"), (suspect, "suspect")].filter { $0.0 > 0 }
        .map { "\($0.0) \($0.1)" }.joined(separator: ", ")
      lines += ["", "\(verdicts); to see why: --out FILE, then wscope bench report FILE"]
    }
    return lines.map { $0 + "\n" }.joined()
  }

  private func row(_ name: String, _ values: [Double], _ text: (Double) -> String) -> String {
    Figures.left(name, 14) + Figures.left(text(values.median ?? 0), 14)
      + Figures.left(text(values.min() ?? 0), 14) + text(values.max() ?? 0)
  }
}
