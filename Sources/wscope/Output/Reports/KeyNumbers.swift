import LoadTesting

/// The few numbers that a person reads first.
struct KeyNumbers {
  struct Number: Equatable {
    var name: String
    var value: String
    /// What it is, or how it compares; may be empty.
    var note: String
  }

  private let report: LoadReport

  init(_ report: LoadReport) { self.report = report }

  var all: [Number] { [rate, p50, p99, largest, errors, answered] }

  private var summary: LatencySummary? { report.metrics[report.configuration.mode.headline] }
  private var key: String { report.configuration.mode.headline.key }

  private var rate: Number {
    guard report.configuration.pacing.isOpen else {
      return Number(
        name: "Throughput", value: Figures.rate(report.rates.answered) + "/s",
        note: "answered in the window")
    }
    let target = report.ownRate.map { "of \(Figures.rate($0))/s" } ?? ""
    guard report.planned > 0 else { return Number(name: "Sent", value: Figures.none, note: target) }
    return Number(
      name: "Sent", value: ReportHead(report).targetShare ?? Figures.none, note: target)
  }

  private var p50: Number { percentile(.p50) }
  private var p99: Number { percentile(.p99) }

  private func percentile(_ level: PercentileLevel) -> Number {
    let percentile = summary?.percentile(level)
    guard case .tooFewSamples(let needed)? = percentile else {
      return Number(
        name: "\(key) p\(level.text)", value: Figures.percentile(percentile), note: since)
    }
    return Number(
      name: "\(key) p\(level.text)", value: Figures.none,
      note: "needs \(Figures.count(needed)) samples")
  }

  private var since: String {
    report.configuration.pacing.isOpen
      ? report.configuration.mode.headline.label : Metric.service.label
  }

  private var largest: Number {
    Number(name: "\(key) max", value: Figures.percentile(summary?.largest), note: since)
  }

  private var errors: Number {
    let count = report.errors.reduce(0) { $0 &+ $1.count }
    let first = report.errors.first.map { "most: \($0.phase.rawValue) \($0.class.name)" }
    return Number(name: "Errors", value: Figures.count(count), note: first ?? "")
  }

  private var answered: Number {
    let counts = report.messages
    guard report.planned > 0 else { return Number(name: "Answered", value: Figures.none, note: "") }
    let share = Double(counts.answered) / Double(report.planned)
    // Only all of them are 100 %.
    let shown =
      counts.answered == report.planned ? 1 : min(0.9999, (share * 10_000).rounded(.down) / 10_000)
    return Number(
      name: "Answered", value: Figures.percent(shown, decimals: shown == 1 ? 0 : 2),
      note: "\(Figures.count(counts.answered)) of \(Figures.count(report.planned))")
  }
}
