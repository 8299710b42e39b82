import Terminal

/// Markdown as GitHub and GitLab read it, in which text is only text.
enum Markdown {
  /// A text whose characters have no meaning in Markdown or HTML, on one line (SECURITY R14).
  static func escaped(_ text: String) -> String {
    let visible = ControlCharacters.escaped(text, keepingNewlines: false, highlight: false)
    var escaped = ""
    let scalars = Array(visible.unicodeScalars)
    for (index, scalar) in scalars.enumerated() {
      switch scalar {
      case "<", ">", "&", "@", "\"", "'": escaped += "&#\(scalar.value);"
      // An escaped one would not keep an address from being linked.
      case "." where index >= 3 && scalars[index - 3..<index].allSatisfy { $0 == "w" }:
        escaped += "&#46;"
      case ":" where index + 1 < scalars.count && scalars[index + 1] != " ": escaped += "&#58;"
      case "\\", "`", "*", "_", "{", "}", "[", "]", "#", "|", "~", "!", "$", "^":
        escaped += "\\"
        escaped.unicodeScalars.append(scalar)
      case "\t": escaped += " "
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  /// A text as code, on one line; escaped text where it contains a backquote.
  static func code(_ text: String) -> String {
    let visible = ControlCharacters.escaped(text, keepingNewlines: false, highlight: false)
    guard !visible.contains("`"), !visible.isEmpty else { return escaped(text) }
    // Within a table a bar would begin a cell, even in code.
    return "`\(visible.replacing("|", with: "\\|"))`"
  }

  /// A table and an empty line.
  ///
  /// - Parameters:
  ///   - columns: The headings, in Markdown.
  ///   - rows: Cells in Markdown, as many a row as there are columns.
  ///   - numbers: Columns that are aligned at the right.
  /// - Returns: Its lines.
  static func table(_ columns: [String], _ rows: [[String]], numbers: Set<Int>) -> [String] {
    let rule = columns.indices.map { numbers.contains($0) ? "---:" : "---" }
    return ([columns, rule] + rows).map { "| " + $0.joined(separator: " | ") + " |" } + [""]
  }
}
