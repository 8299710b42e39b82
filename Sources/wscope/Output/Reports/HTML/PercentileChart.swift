import LoadTesting

/// Durations by the share of the messages that were faster.
struct PercentileChart {
  private static let plotHeight = 300.0
  private static let axisHeight = 40.0

  private struct Line {
    var metric: Metric
    var hue: ChartHue
    var dashes: String?
    var curve: PercentileCurve
  }

  private let report: LoadReport
  private let lines: [Line]
  private let scale: ChartScale.Logarithmic
  /// Nines at the right edge: 3 is p99.9.
  private let nines: Double

  /// nil without a curve of the headline metric.
  init?(_ report: LoadReport) {
    let headline = report.configuration.mode.headline
    var kinds: [(Metric, ChartHue, String?)] = [(headline, .blue, nil)]
    // In the closed loop they would be the same line again, or none.
    if report.configuration.pacing.isOpen {
      kinds += [(.service, .green, "7 4"), (.late, .purple, "2 3")]
    }
    lines = kinds.compactMap { metric, hue, dashes in
      guard let curve = report.metrics[metric]?.curve, curve.points.count > 1 else { return nil }
      return Line(metric: metric, hue: hue, dashes: dashes, curve: curve)
    }
    guard lines.first?.metric == headline else { return nil }
    self.report = report
    nines = max(1, lines.compactMap { $0.curve.points.last?.nines }.max() ?? 1)
    scale = ChartScale.Logarithmic(
      lines.flatMap { $0.curve.points.map(\.duration) } + Self.limits(report).map(\.ns))
  }

  var html: HTML {
    let headline = report.configuration.mode.headline.key
    return ChartFigure(
      id: "percentiles", title: "Percentiles of \(headline)", finding: finding,
      height: Self.plotHeight + Self.axisHeight, drawing: drawing, table: table
    ).html + legend
  }

  // MARK: Drawing

  private func x(_ nines: Double) -> Double { 100 * nines / self.nines }
  private func y(_ ns: Int64) -> Double { Self.plotHeight * (1 - scale.position(ns)) }

  private var drawing: HTML {
    """
    \(grid)<svg x="0" y="0" width="100%" height="\(Self.plotHeight)" viewBox="0 0 1000 1000" \
    preserveAspectRatio="none" fill="none" stroke-width="2">
    \(lines.map(polyline))</svg>
    \(limits)\(lines.compactMap(censored))\(endLabels)
    """
  }

  private func polyline(_ line: Line) -> HTML {
    let points = line.curve.points.prefix { !$0.isBound }.map { point -> HTML in
      " \(x(point.nines) * 10),\(1000 * (1 - scale.position(point.duration)))"
    }
    let dashes: HTML = line.dashes.map { " stroke-dasharray=\"\($0)\"" } ?? ""
    return """
      <polyline stroke="\(line.hue.color)" class="\(line.hue.strokeClass)" \
      vector-effect="non-scaling-stroke"\(dashes) points="\(points)"/>

      """
  }

  /// From where on only a lower bound is known: an arrow that points upwards from it.
  private func censored(_ line: Line) -> HTML? {
    guard let first = line.curve.points.first(where: \.isBound) else { return nil }
    let y = y(first.duration)
    let start = x(first.nines)
    return """
      <line x1="\(start)%" x2="100%" y1="\(y)" y2="\(y)" stroke="#d55e00" class="red" \
      stroke-width="3" stroke-dasharray="3 3"/>
      <svg x="\((start + 100) / 2)%" y="\(y - 16)" width="14" height="16" overflow="visible">\
      <path d="M0 16V2M-5 8L0 1L5 8" fill="none" stroke="#d55e00" class="red" stroke-width="2"/></svg>
      \(ChartLabel.html("no answer within \(Figures.shortDuration(first.duration))", x: 99.5, y: y + 15, anchor: "end"))
      """
  }

  private var grid: HTML {
    let rows = scale.ticks.map { tick -> HTML in
      let y = Self.plotHeight * (1 - tick.position)
      return """
        <line x1="0" x2="100%" y1="\(y)" y2="\(y)" stroke="currentColor" stroke-opacity=".16"/>
        \(ChartLabel.html(tick.label, x: 0.4, y: y > 14 ? y - 3 : y + 12))
        """
    }
    let marks = ["0", "90", "99", "99.9", "99.99", "99.999", "99.9999", "99.99999"]
    let columns = marks.enumerated().filter { Double($0.offset) <= nines }.map {
      index, name -> HTML in
      let x = x(Double(index))
      let anchor = index == 0 ? "start" : x > 96 ? "end" : "middle"
      return """
        <line x1="\(x)%" x2="\(x)%" y1="0" y2="\(Self.plotHeight + 4)" stroke="currentColor" \
        stroke-opacity=".16"/>
        <text x="\(x)%" y="\(Self.plotHeight + 18)" text-anchor="\(anchor)">\(name)</text>

        """
    }
    return """
      \(rows)\(columns)<line x1="0" x2="100%" y1="\(Self.plotHeight)" y2="\(Self.plotHeight)" \
      stroke="currentColor" stroke-opacity=".5"/>
      <text x="50%" y="\(Self.plotHeight + 35)" text-anchor="middle">per cent of the messages</text>

      """
  }

  /// The thresholds of the headline metric that are durations.
  private static func limits(_ report: LoadReport) -> [(ns: Int64, text: String)] {
    report.thresholds.compactMap { threshold in
      guard case .metric(report.configuration.mode.headline, _) = threshold.quantity,
        threshold.unit == .duration, threshold.limit >= 1, threshold.limit < 9e18
      else { return nil }
      return (Int64(threshold.limit), threshold.text)
    }
  }

  private var limits: [HTML] {
    Self.limits(report).map { limit in
      let y = y(limit.ns)
      return """
        <line x1="0" x2="100%" y1="\(y)" y2="\(y)" stroke="#d55e00" class="red" \
        stroke-dasharray="10 3"/>
        \(ChartLabel.html(limit.text, x: 30, y: y > 16 ? y - 4 : y + 13))
        """
    }
  }

  /// Names at the ends of the lines, moved apart where they would overlap.
  private var endLabels: [HTML] {
    let ends = lines.compactMap { line -> (name: String, x: Double, y: Double)? in
      guard let end = line.curve.points.prefix(while: { !$0.isBound }).last else { return nil }
      return (line.metric.key, x(end.nines), y(end.duration))
    }
    var lowest = -Double.infinity
    return ends.sorted { $0.y < $1.y }.map { end in
      let y = min(Swift.max(end.y - 7, lowest + 15, 13), Self.plotHeight - 4)
      lowest = y
      return ChartLabel.html(end.name, x: Swift.max(14, end.x - 0.6), y: y, anchor: "end")
    }
  }

  private var legend: HTML {
    let items = lines.map { line -> HTML in
      "<span>\(line.hue.sample(dashes: line.dashes)) \(line.metric.key): \(label(line.metric))</span> "
    }
    return """
      <p class="legend">\(items)</p>
      <p class="legend">A line ends where fewer than ten messages were slower.</p>

      """
  }

  private func label(_ metric: Metric) -> String {
    metric == report.configuration.mode.headline && !report.configuration.pacing.isOpen
      ? Metric.service.label : metric.label
  }

  // MARK: Words and numbers

  private static let levels = ["50", "75", "90", "95", "99", "99.9", "99.99", "99.999"]
    .compactMap { PercentileLevel($0) }

  private var finding: String {
    let summary = report.metrics[report.configuration.mode.headline]
    let parts = [("half", PercentileLevel.p50), ("99 %", .p99), ("99.9 %", .p999)].compactMap {
      share, level in
      summary?.percentile(level).flatMap { $0.bound == nil ? nil : $0 }
        .map { "\(share) within \(Figures.percentile($0))" }
    }
    let largest = "the slowest took \(Figures.percentile(summary?.largest))"
    return "Of the messages, " + (parts + [largest]).joined(separator: ", ") + "."
  }

  private var table: DataTable {
    let metrics = lines.map(\.metric)
    let known = metrics.map { report.metrics[$0]?.percentiles(Self.levels) ?? [] }
    var rows = [["min"] + metrics.map { duration(report.metrics[$0]?.min) }]
    for (index, level) in Self.levels.enumerated() {
      rows.append(
        ["p\(level.text)"]
          + known.map { index < $0.count ? Figures.percentile($0[index]) : Figures.none })
    }
    rows.append(["max"] + metrics.map { Figures.percentile(report.metrics[$0]?.largest) })
    rows.append(
      ["samples"]
        + metrics.map { metric in
          Figures.count(report.metrics[metric].map { $0.count + $0.censored } ?? 0)
        })
    return DataTable(
      caption: "Percentiles; n is the number of samples that one needs",
      columns: [""] + metrics.map(\.key),
      rows: rows)
  }

  private func duration(_ ns: Int64?) -> String { ns.map(Figures.duration) ?? Figures.none }
}
