import LoadTesting

/// How long it took to open a connection, and in which part.
struct ConnectChart {
  private let report: LoadReport
  private let parts: [(metric: Metric, hue: ChartHue, median: Int64)]
  private let whole: LatencySummary
  /// Nanoseconds at the right edge.
  private let edge: Double

  /// nil when no connection opened.
  init?(_ report: LoadReport) {
    guard let whole = report.metrics[.connect], whole.count > 0 else { return nil }
    self.report = report
    self.whole = whole
    let hues: [(Metric, ChartHue)] = [
      (.dns, .purple), (.tcp, .blue), (.tls, .gold), (.upgrade, .green),
    ]
    parts = hues.compactMap { metric, hue in
      guard let summary = report.metrics[metric], summary.count > 0 else { return nil }
      // There is one look-up a run, so it has no median.
      let median = summary.percentile(.p50)?.bound ?? summary.max
      return median.map { (metric, hue, $0) }
    }
    let ends = [parts.reduce(0) { $0 &+ $1.median }, Self.whisker(whole) ?? 0]
    edge = Double(max(1, ends.max() ?? 1)) * 1.02
  }

  private static func whisker(_ summary: LatencySummary) -> Int64? {
    summary.percentile(.p99)?.bound ?? summary.max
  }

  var html: HTML {
    ChartFigure(
      id: "connect", title: "Time to open a connection", finding: finding, height: 56,
      drawing: drawing, table: table
    ).html + legend
  }

  private var drawing: HTML {
    var bars: [HTML] = []
    var x = 0.0
    for part in parts {
      let width = 100 * Double(part.median) / edge
      bars.append(
        """
        <rect x="\(x)%" y="8" width="\(width)%" height="24" fill="\(part.hue.color)" \
        class="\(part.hue.fillClass)"/>

        """)
      x += width
    }
    let end = 100 * Double(Self.whisker(whole) ?? 0) / edge
    let name = whole.percentile(.p99)?.bound == nil ? "max" : "p99"
    return """
      \(bars)<line x1="\(x)%" x2="\(end)%" y1="20" y2="20" stroke="currentColor" stroke-width="1.5"/>
      <line x1="\(end)%" x2="\(end)%" y1="11" y2="29" stroke="currentColor" stroke-width="2"/>
      <text x="\(end)%" y="47" text-anchor="end">\(name) \(Figures.duration(Self.whisker(whole) ?? 0))</text>
      <text x="0" y="47">\(medians)</text>

      """
  }

  private var medians: String {
    "p50 "
      + Figures.percentile(
        whole.percentile(.p50)?.bound == nil ? whole.largest : whole.percentile(.p50))
  }

  private var legend: HTML {
    let items = parts.map { part -> HTML in
      """
      <span><svg aria-hidden="true" width="12" height="12"><rect width="12" height="12" \
      fill="\(part.hue.color)" class="\(part.hue.fillClass)"/></svg> \(part.metric.key) \
      \(Figures.duration(part.median))</span> 
      """
    }
    return """
      <p class="legend">\(items)</p>
      <p class="legend">Coloured: the medians of the parts; the whisker ends at the slowest \
      connections. New connections: \(Figures.rate(report.configuration.connectRate)) per second.</p>

      """
  }

  private var finding: String {
    let counts = report.connections
    return "\(Figures.count(counts.opened)) of \(Figures.count(counts.asked)) connections opened. "
      + parts.map { "\($0.metric.label): \(Figures.duration($0.median))" }.joined(separator: "; ")
      + "."
  }

  private var table: DataTable {
    let levels: [PercentileLevel] = [.p50, .p90, .p99]
    let rows = ([Metric.connect] + parts.map(\.metric) + [.close]).compactMap {
      metric -> [String]? in
      guard let summary = report.metrics[metric], summary.count > 0 else { return nil }
      return [metric.key, Figures.count(summary.count)]
        + summary.percentiles(levels).map {
          $0?.bound == nil ? Figures.none : Figures.percentile($0)
        }
        + [Figures.percentile(summary.largest)]
    }
    return DataTable(
      caption: "Durations of connections",
      columns: ["", "samples"] + levels.map { "p\($0.text)" } + ["max"], rows: rows)
  }
}
