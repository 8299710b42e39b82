/// The candidates of a completion, laid out for the screen.
package enum CompletionList {
  /// The maximum number of candidates shown.
  package static let maxShown = 200

  /// `candidates` in columns, to be read downwards, as lines of at most `width` columns.
  package static func text(_ candidates: [String], width: Int) -> String {
    let shown = candidates.prefix(maxShown).map {
      // File names are untrusted text too.
      ControlCharacters.escaped($0, keepingNewlines: false, highlight: false)
    }
    let room = (shown.map(DisplayWidth.columns(of:)).max() ?? 0) + 2
    let columns = max(1, width / room)
    let rows = (shown.count + columns - 1) / columns
    var text = ""
    for row in 0..<rows {
      let cells = stride(from: row, to: shown.count, by: rows).map { shown[$0] }
      for (index, cell) in cells.enumerated() {
        text += cell
        guard index < cells.count - 1 else { continue }
        text += String(repeating: " ", count: room - DisplayWidth.columns(of: cell))
      }
      text += "\n"
    }
    if candidates.count > shown.count { text += "... \(candidates.count - shown.count) more\n" }
    return text
  }
}
