import LoadTesting

/// What else went on over time, one quantity a strip, on the axis of the heat map.
struct TimeStrips {
  /// Rows of a table of numbers over time.
  static let tableRows = 60

  private static let titleHeight = 20.0
  private static let plotHeight = 54.0
  private static let gap = 12.0

  private let report: LoadReport
  private let columns: TimeColumns

  init(_ report: LoadReport, _ columns: TimeColumns) {
    self.report = report
    self.columns = columns
  }

  var html: HTML {
    let strips = strips
    let pitch = Self.titleHeight + Self.plotHeight + Self.gap
    var drawing: HTML = ""
    for (index, strip) in strips.enumerated() {
      drawing += draw(strip, at: Double(index) * pitch)
    }
    let bottom = Double(strips.count) * pitch - Self.gap
    let axis = TimeAxis(columns: columns)
    return ChartFigure(
      id: "strips", title: "Rates, connections, errors and this client over time",
      finding: strips.map(\.finding).joined(separator: " "), height: bottom + 24,
      drawing: drawing + axis.marks(below: bottom), data: axis.data, table: table
    ).html
  }

  private func draw(_ strip: TimeStrip, at y: Double) -> HTML {
    let top = y + Self.titleHeight
    let limit = strip.limit.map { limit -> HTML in
      let line = top + Self.plotHeight * (1 - min(1, limit.value / strip.top))
      return """
        <line x1="0" x2="100%" y1="\(line)" y2="\(line)" stroke="#d55e00" class="red" \
        stroke-dasharray="6 4"/>
        \(ChartLabel.html(limit.label, x: 99.5, y: line < top + 14 ? line + 13 : line - 4, anchor: "end"))
        """
    }
    return """
      <text x="0" y="\(y + 14)" font-weight="bold">\(strip.title)</text>
      <text x="100%" y="\(y + 14)" text-anchor="end">\(strip.key)</text>
      \(TimeAxis(columns: columns).warmUp(from: top, height: Self.plotHeight, labelled: false))\
      <svg x="0" y="\(top)" width="100%" height="\(Self.plotHeight)" viewBox="0 0 1000 100" \
      preserveAspectRatio="none" fill="none" stroke-width="1.8">
      \(strip.series.map { path($0, top: strip.top) })</svg>
      <line x1="0" x2="100%" y1="\(top + Self.plotHeight)" y2="\(top + Self.plotHeight)" \
      stroke="currentColor" stroke-opacity=".35"/>
      \(ChartLabel.html(strip.topLabel, x: 0.4, y: top + 11))\(limit.map { [$0] } ?? [])
      """
  }

  private func path(_ series: TimeStrip.Series, top: Double) -> HTML {
    var path: HTML = ""
    var previous: (end: Int64, height: Double)?
    for column in columns.columns {
      guard let value = series.value(column), top > 0 else {
        previous = nil
        continue
      }
      let x = columns.position(column.start) * 1000
      let end = columns.position(column.end) * 1000
      let height = (100 * (1 - min(1, value / top))).rounded()
      if series.isBars {
        if value > 0 { path += "M\(x) 100V\(min(height, 96))H\(end)V100z" }
      } else if previous?.end == column.start {
        path += previous?.height == height ? "H\(end)" : "V\(height)H\(end)"
      } else {
        path += "M\(x) \(height)H\(end)"
      }
      previous = (column.end, height)
    }
    let dashes: HTML = series.dashes.map { " stroke-dasharray=\"\($0)\"" } ?? ""
    let paint: HTML =
      series.isBars
      ? "fill=\"\(series.hue.color)\" class=\"\(series.hue.fillClass)\""
      : """
      stroke="\(series.hue.color)" class="\(series.hue.strokeClass)" \
      vector-effect="non-scaling-stroke"\(dashes)
      """
    return "<path \(paint) d=\"\(path)\"/>\n"
  }

  private var strips: [TimeStrip] {
    let all: [(LoadReport, TimeColumns) -> TimeStrip?] = [
      TimeStrip.rates, TimeStrip.connections, TimeStrip.failures, TimeStrip.cpu,
      TimeStrip.loopDelay,
    ]
    return all.compactMap { $0(report, columns) }
  }

  private var table: DataTable {
    let rows = TimeColumns(report, limit: Self.tableRows).columns.map { column in
      [
        Figures.seconds(column.start), Figures.rate(column.rate(column.sent)),
        Figures.rate(column.rate(column.received)), Figures.count(column.open),
        Figures.count(column.errors), Figures.count(column.unanswered),
        column.cpu.map { Figures.percent($0, decimals: 0) } ?? Figures.none,
        column.loopDelay.map(Figures.duration) ?? Figures.none,
      ]
    }
    return DataTable(
      caption: "Figures by the time since the start of the window",
      columns: [
        "From", "Sent/s", "Answered/s", "Open", "Errors", "Given up", "Loop CPU", "Loop delay p99",
      ], rows: rows)
  }
}
