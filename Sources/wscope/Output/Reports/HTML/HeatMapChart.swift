import Glibc
import LoadTesting

/// How the durations of the headline metric were spread, interval by interval.
struct HeatMapChart {
  private static let shades = 9
  private static let plotHeight = 264.0
  private static let hatchHeight = 12.0
  private static let axisHeight = 24.0

  private let report: LoadReport
  private let columns: TimeColumns
  /// The buckets from the bottom to the top.
  private let buckets: ClosedRange<Int>

  /// nil without a single duration.
  init?(_ report: LoadReport, _ columns: TimeColumns) {
    let used = columns.columns.flatMap { [$0.cells.first, $0.cells.last] }
      .compactMap { $0?.bucket }
    guard let low = used.min(), let high = used.max() else { return nil }
    self.report = report
    self.columns = columns
    // At least three powers of two, so that a row is never a beam.
    let missing = max(0, 24 - (high - low + 1))
    buckets = (low - (missing + 1) / 2)...(high + missing / 2 + 1)
  }

  private var hasUnanswered: Bool { columns.columns.contains { $0.unanswered > 0 } }
  private var top: Double { hasUnanswered ? Self.hatchHeight + 4 : 0 }
  private var rows: Double { Double(buckets.count) }
  private var metric: String { report.configuration.mode.headline.key }

  var html: HTML {
    ChartFigure(
      id: "heat", title: "Heat map of \(metric) over time", finding: finding,
      height: top + Self.plotHeight + Self.axisHeight, drawing: drawing,
      data: TimeAxis(columns: columns).data, table: table
    ).html + legend
  }

  private var drawing: HTML {
    let axis = TimeAxis(columns: columns)
    return """
      \(axis.warmUp(from: top, height: Self.plotHeight, labelled: false))\
      <svg x="0" y="\(top)" width="100%" height="\(Self.plotHeight)" \
      viewBox="0 -.5 \(width) \(rows)" preserveAspectRatio="none" class="heat" fill="none" \
      stroke="#0072b2">
      <g shape-rendering="crispEdges" stroke-width="1.02">
      \(cells)</g>
      \(line(\.p50, dashes: nil))\(line(\.p99, dashes: "5 3"))</svg>
      \(gridLines)\(unanswered)\(lineLabels)\
      \(axis.warmUp(from: top, height: 0, labelled: columns.warmUp ?? 0 > 0.08))\
      \(axis.marks(below: top + Self.plotHeight))
      """
  }

  // MARK: Cells

  /// The length of the first column is 1.
  private var unit: Double { Double(columns.columns.first?.duration ?? 1) }
  private var width: Double { Double(columns.end &- columns.start) / unit }
  private func x(_ time: Int64) -> Double { Double(time &- columns.start) / unit }

  /// A path for each shade: horizontal strokes, in which equal neighbours are one.
  private var cells: [HTML] {
    let levels = columns.columns.map(Self.levels)
    return (1...Self.shades).compactMap { shade in
      var path: HTML = ""
      for (row, bucket) in buckets.reversed().enumerated() {
        var index = 0
        while index < levels.count {
          guard levels[index][bucket] == shade else {
            index += 1
            continue
          }
          let first = index
          while index < levels.count, levels[index][bucket] == shade { index += 1 }
          let start = x(columns.columns[first].start)
          path += "M\(start) \(row)h\(x(columns.columns[index - 1].end) - start)"
        }
      }
      guard path != "" else { return nil }
      return "<path stroke-opacity=\"\(Self.opacity(shade))\" d=\"\(path)\"/>\n"
    }
  }

  /// From 1 for a single message to 9. By the logarithm, so that one slow message in 5000 can be seen; against
  /// the column's own count, so that a stalled column is as strong as a healthy one.
  private static func levels(_ column: TimeColumns.Column) -> [Int: Int] {
    let total = column.cells.reduce(0) { $0 &+ $1.count }
    let full = log(Swift.max(2, 0.12 * Double(total)))
    return column.cells.reduce(into: [:]) { levels, cell in
      let level = (Double(shades) * log(Double(cell.count)) / full).rounded(.up)
      levels[cell.bucket] = Swift.min(shades, Swift.max(1, Int(level)))
    }
  }

  private static func opacity(_ shade: Int) -> Double { 0.14 + 0.86 * Double(shade - 1) / 8 }

  // MARK: Lines and axes

  /// Rows from the top; the upper edge of a bucket is its bound.
  private func y(_ ns: Int64) -> Double {
    Double(buckets.upperBound) - 8 * log2(Double(max(1, ns)) / 1e9) - 0.5
  }

  private func pixels(_ ns: Int64) -> Double {
    top + (y(ns) + 0.5) / rows * Self.plotHeight
  }

  private func line(
    _ figure: (TimeColumns.Column) -> Percentile?, dashes: String?
  ) -> HTML {
    let points = columns.columns.compactMap { column in
      figure(column)?.bound.map {
        " \(x(column.middle)),\(min(max(y($0), -0.5), rows - 0.5))" as HTML
      }
    }
    let style: HTML = dashes.map { " stroke-dasharray=\"\($0)\"" } ?? ""
    return """
      <polyline vector-effect="non-scaling-stroke" stroke="Canvas" stroke-opacity=".8" \
      stroke-width="3.5" class="halo" points="\(points)"/>
      <polyline vector-effect="non-scaling-stroke" stroke="currentColor" stroke-width="1.5"\(style) \
      points="\(points)"/>

      """
  }

  private var lineLabels: [HTML] {
    guard let last = columns.columns.last(where: { $0.p50?.bound != nil }),
      let p50 = last.p50?.bound, let p99 = last.p99?.bound
    else { return [] }
    let bottom = top + Self.plotHeight
    let high = min(max(pixels(p99) - 6, top + 14), bottom - 20)
    let low = max(min(pixels(p50) + 16, bottom - 5), high + 15)
    return [
      ChartLabel.html("p99 (dashed)", x: 99.5, y: high, anchor: "end"),
      ChartLabel.html("p50", x: 99.5, y: low, anchor: "end"),
    ]
  }

  private var gridLines: [HTML] {
    let range = RoundNumbers.between(
      1e9 * exp2(Double(buckets.lowerBound) / 8), 1e9 * exp2(Double(buckets.upperBound) / 8))
    let powers = range.filter(RoundNumbers.isPowerOfTen)
    return (range.count > 7 ? powers : range).map { ns in
      let y = pixels(Int64(ns))
      return """
        <line x1="0" x2="100%" y1="\(y)" y2="\(y)" stroke="currentColor" stroke-opacity=".18"/>
        \(ChartLabel.html(Figures.shortDuration(Int64(ns)), x: 0.4, y: y - 3))
        """
    }
  }

  /// A hatched row over the columns in which messages were given up.
  private var unanswered: HTML {
    guard hasUnanswered else { return "" }
    let marks = columns.columns.filter { $0.unanswered > 0 }.map { column -> HTML in
      """
      <rect x="\(columns.position(column.start) * 100)%" y="0" \
      width="\(Double(column.duration) / Double(max(1, columns.end - columns.start)) * 100)%" \
      height="\(Self.hatchHeight)" fill="url(#hatch)"/>

      """
    }
    return """
      <defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" \
      patternTransform="rotate(45)"><rect width="5" height="5" fill="#d55e00" fill-opacity=".25"/>\
      <line x1="1" x2="1" y1="0" y2="5" stroke="#d55e00" stroke-width="2"/></pattern></defs>
      \(marks)\(ChartLabel.html("no answer", x: 0.4, y: 11))
      """
  }

  private var legend: HTML {
    let samples = (1...Self.shades).map { shade -> HTML in
      """
      <rect x="\(Double(shade - 1) * 16)" width="16" height="12" fill="#0072b2" class="heat-fill" \
      fill-opacity="\(Self.opacity(shade))"/>
      """
    }
    let hatch: HTML =
      hasUnanswered ? " The hatched row marks messages that were given up after the timeout." : ""
    return """
      <p class="legend"><svg aria-hidden="true" width="144" height="12">\(samples)</svg> Stronger \
      colour: more of that column\u{2019}s messages. A wedge is a stall, seen from the intended send \
      time.\(hatch)</p>

      """
  }

  // MARK: Words and numbers

  private var finding: String {
    let window = columns.window
    let worst = window.filter { $0.p99?.bound != nil }
      .max { ($0.p99?.bound ?? 0) < ($1.p99?.bound ?? 0) }
    let medians = window.compactMap { $0.p50?.bound }
    guard let worst, let low = medians.min(), let high = medians.max() else {
      return "No message was answered in the window."
    }
    let given = window.reduce(0) { $0 &+ $1.unanswered }
    let lost = given > 0 ? " \(Figures.count(given)) messages were given up." : ""
    return "The median was from \(Figures.duration(low)) to \(Figures.duration(high)). "
      + "The worst p99 was \(Figures.percentile(worst.p99)), "
      + "from \(Figures.seconds(worst.start)) to \(Figures.seconds(worst.end)).\(lost)"
  }

  private var table: DataTable {
    let rows = TimeColumns(report, limit: TimeStrips.tableRows).columns.map { column in
      [
        Figures.seconds(column.start), Figures.count(column.received),
        Figures.percentile(column.p50), Figures.percentile(column.p99),
        Figures.percentile(column.max), Figures.count(column.unanswered),
      ]
    }
    return DataTable(
      caption: "\(metric) by the time since the start of the window",
      columns: ["From", "Answered", "p50", "p99", "max", "Given up"], rows: rows)
  }
}
