import LoadTesting

/// The tables of durations in the report of `bench`: a column for each percentile that was asked for, and
/// one for the largest duration. Columns that do not fit into a line make a second table.
struct MetricRows {
  private static let labelWidth = 13
  private static let gap = 2

  private let report: LoadReport
  private let levels: [PercentileLevel]
  private let widths: [Int]

  init(_ report: LoadReport) {
    self.report = report
    let summary = report.metrics[report.configuration.mode.headline] ?? report.metrics[.connect]
    let levels = summary?.percentiles.map(\.level) ?? []
    self.levels = levels
    let rows = Metric.allCases.compactMap { report.metrics[$0] }
      .map { Self.cells($0, levels) }
    widths = Self.names(levels).enumerated().map { column, name in
      rows.reduce(max(7, name.count)) { max($0, $1[column].count) }
    }
  }

  /// The lines of some metrics; empty when none of them was measured.
  ///
  /// - Parameters:
  ///   - metrics: In the order of the lines.
  ///   - notes: What is printed at the end of a line of the first table, or below it where it does not fit.
  /// - Returns: The heading, a line for each metric, and the notes.
  func lines(_ metrics: [Metric], notes: [Metric: String]) -> [String] {
    let shown = metrics.filter { metric in
      report.metrics[metric].map { $0.count + $0.censored > 0 } ?? false
    }
    guard !shown.isEmpty else { return [] }
    let cells = shown.map { report.metrics[$0].map { Self.cells($0, levels) } ?? [] }
    var tables = blocks.map { columns in
      [line("", Self.names(levels), columns)]
        + zip(shown, cells).map { line($0.key, $1, columns) }
    }
    let noted = shown.enumerated().map { index, metric in
      tables[0][index + 1] + (notes[metric].map { "  " + $0 } ?? "")
    }
    if noted.allSatisfy({ $0.count <= ReportLayout.width }) {
      tables[0].replaceSubrange(1..., with: noted)
      return tables.flatMap(\.self)
    }
    let legend = shown.compactMap { metric in notes[metric].map { "\(metric.key) \($0)" } }
    return tables.flatMap(\.self)
      + ReportLayout.wrapped("  " + legend.joined(separator: "; "), indent: 2)
  }

  private func line(_ label: String, _ cells: [String], _ columns: Range<Int>) -> String {
    columns.reduce(Figures.left(label, Self.labelWidth)) { line, column in
      line
        + Figures.right(
          cells[column], widths[column] + (column == columns.lowerBound ? 0 : Self.gap))
    }
  }

  /// How many samples the percentiles need that are not shown; nil when all are.
  func note(_ metrics: [Metric]) -> String? {
    let missing = levels.filter { level in
      metrics.contains { metric in
        guard let summary = report.metrics[metric], summary.count + summary.censored > 0,
          case .tooFewSamples? = summary[level]
        else { return false }
        return true
      }
    }
    guard let first = missing.first else { return nil }
    let others = missing.dropFirst().map { ", p\($0.text) \(Figures.count($0.neededSamples))" }
    return "p\(first.text) needs \(Figures.count(first.neededSamples)) samples" + others.joined()
  }

  /// The columns, from left to right.
  private var blocks: [Range<Int>] {
    var blocks: [Range<Int>] = []
    var (start, end) = (0, Self.labelWidth)
    for (column, width) in widths.enumerated() {
      let needed = width + (column == start ? 0 : Self.gap)
      if column > start, end + needed > ReportLayout.width {
        blocks.append(start..<column)
        (start, end) = (column, Self.labelWidth + width)
      } else {
        end += needed
      }
    }
    return blocks + [start..<widths.count]
  }

  private static func names(_ levels: [PercentileLevel]) -> [String] {
    levels.map { "p" + $0.text } + ["max"]
  }

  private static func cells(_ summary: LatencySummary, _ levels: [PercentileLevel]) -> [String] {
    levels.map { cell(summary[$0]) } + [cell(summary.largest)]
  }

  private static func cell(_ percentile: Percentile?) -> String {
    if case .tooFewSamples? = percentile { return Figures.none }
    return Figures.percentile(percentile)
  }
}
