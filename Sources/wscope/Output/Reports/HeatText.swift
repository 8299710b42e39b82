import LoadTesting

/// A heat map for a terminal.
struct HeatText {
  private static let rows = 24
  private static let labelWidth = 8
  /// From black to a bright blue, of the 256 colours; 0 is an empty cell.
  private static let colors = [16, 17, 18, 24, 25, 31, 32, 38, 74, 117]
  private static let characters = Array(" ░░▒▒▒▓▓██")

  private let report: LoadReport
  private let grid: HeatGrid
  private let isColored: Bool
  /// Characters of the plot.
  private let width: Int

  /// nil without a single duration; `width` is that of the terminal.
  init?(_ report: LoadReport, width: Int, isColored: Bool) {
    self.width = max(20, width - Self.labelWidth - 1)
    guard let grid = HeatGrid(TimeColumns(report, limit: self.width)) else { return nil }
    self.report = report
    self.grid = grid
    self.isColored = isColored
  }

  var text: String {
    let title = "Heat map of \(report.configuration.mode.headline.key) over time"
    let plot = (0..<Self.rows).map { row in
      Figures.right(labels[row] ?? "", Self.labelWidth) + " " + line(row)
    }
    return ([title] + plot + [axis, legend]).map { $0 + "\n" }.joined()
  }

  private var legend: String {
    let samples = (1...HeatGrid.shades).map { shade in
      isColored
        ? "\u{1B}[48;5;\(Self.colors[shade])m \u{1B}[0m" : String(Self.characters[shade])
    }
    return String(repeating: " ", count: Self.labelWidth + 1) + samples.joined()
      + " stronger: more of that column's messages"
  }

  // MARK: Cells

  private func line(_ row: Int) -> String {
    // Two half rows; escapes only where the colour changes.
    let cells = (0..<width).map { (level($0, 2 * row), level($0, 2 * row + 1)) }
    guard isColored else {
      var text = cells.map { Self.characters[max($0.0, $0.1)] }
      while text.last == " " { text.removeLast() }
      return String(text)
    }
    var text = ""
    var last: (Int, Int)?
    for cell in cells {
      if last.map({ $0 != cell }) ?? true {
        text += "\u{1B}[38;5;\(Self.colors[cell.0]);48;5;\(Self.colors[cell.1])m"
        last = cell
      }
      text += "▀"
    }
    return text + "\u{1B}[0m"
  }

  /// The strongest shade of the buckets that a half row covers.
  private func level(_ x: Int, _ halfRow: Int) -> Int {
    guard let column = column(x) else { return 0 }
    let (first, end) = (bucket(below: halfRow + 1), bucket(below: halfRow))
    return (first..<max(end, first + 1)).reduce(0) { max($0, grid.levels[column][$1] ?? 0) }
  }

  /// The bucket at the lower edge of what is above a half row.
  private func bucket(below halfRow: Int) -> Int {
    grid.buckets.upperBound + 1 - halfRow * grid.buckets.count / (2 * Self.rows)
  }

  private func column(_ x: Int) -> Int? {
    let columns = grid.columns
    let time =
      columns.start
      &+ Int64((Double(x) + 0.5) / Double(width) * Double(columns.end &- columns.start))
    return columns.columns.firstIndex { $0.start <= time && time < $0.end }
  }

  // MARK: Axes

  private var labels: [Int: String] {
    var labels: [Int: String] = [:]
    for ns in grid.labels {
      let share = 1 - grid.height(ns) / Double(grid.buckets.count)
      let row = min(Self.rows - 1, Int(share * Double(Self.rows)))
      labels[row] = labels[row] ?? Figures.shortDuration(ns)
    }
    return labels
  }

  private var axis: String {
    var axis = Array(repeating: Character(" "), count: Self.labelWidth + 1 + width)
    let columns = grid.columns
    var next = 0
    for tick in ChartScale.times(from: columns.start, to: columns.end) {
      let label = Array(tick.label)
      let middle = Self.labelWidth + 1 + Int(tick.position * Double(width - 1))
      let start = min(max(middle - label.count / 2, 0), axis.count - label.count)
      guard start >= next else { continue }
      axis.replaceSubrange(start..<start + label.count, with: label)
      next = start + label.count + 1
    }
    while axis.last == " " { axis.removeLast() }
    return String(axis)
  }
}
