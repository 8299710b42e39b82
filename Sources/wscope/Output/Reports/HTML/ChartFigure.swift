/// A chart with its name, its finding in words and its numbers: everybody can read one of them.
struct ChartFigure {
  /// Letters, unique in the page.
  var id: String
  /// What is shown.
  var title: String
  /// What can be seen, in words.
  var finding: String
  /// Pixels.
  var height: Double
  /// The contents; x in per cent of the width, y in pixels.
  var drawing: HTML
  /// Attributes for the script of the page, each after a space.
  var data: HTML = ""
  var table: DataTable

  var html: HTML {
    """
    <figure>
    <svg role="img" aria-labelledby="\(id)-title \(id)-desc" width="100%" height="\(height)"\
    \(data)>
    <title id="\(id)-title">\(title)</title>
    <desc id="\(id)-desc">\(finding)</desc>
    <g font-family="system-ui, sans-serif" font-size="12" fill="currentColor">
    \(drawing)</g>
    </svg>
    <details><summary>Table: \(title)</summary>
    \(table.html)</details>
    </figure>

    """
  }
}

/// A table of numbers, readable without style.
struct DataTable {
  var caption: String
  var columns: [String]
  var rows: [[String]]
  /// Columns of text, which are aligned at the left; the first one always is.
  var textColumns: Set<Int> = []
  /// Whether the first cell of a row names it.
  var hasRowHeadings = true

  var html: HTML {
    """
    <div class="wide"><table border="1" cellspacing="0" cellpadding="4" class="data">
    <caption>\(caption)</caption>
    <thead><tr>\(columns.enumerated().map { heading($0, $1) })</tr></thead>
    <tbody>
    \(rows.map(row))</tbody>
    </table></div>

    """
  }

  private func heading(_ column: Int, _ text: String) -> HTML {
    isText(column)
      ? "<th scope=\"col\" align=\"left\">\(text)</th>"
      : "<th scope=\"col\" align=\"right\">\(text)</th>"
  }

  private func row(_ cells: [String]) -> HTML {
    "<tr>\(cells.enumerated().map { cell($0, $1) })</tr>\n"
  }

  private func cell(_ column: Int, _ text: String) -> HTML {
    if column == 0, hasRowHeadings { return "<th scope=\"row\" align=\"left\">\(text)</th>" }
    return isText(column) ? "<td>\(text)</td>" : "<td align=\"right\">\(text)</td>"
  }

  private func isText(_ column: Int) -> Bool { column == 0 || textColumns.contains(column) }
}
