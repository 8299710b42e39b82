/// Locates the cursor of a partly typed line, on a terminal that wraps lines.
///
/// When the width of a window changes, most terminals wrap their contents again, and readline would
/// look for the start of the prompt in the wrong row.
package enum PromptLayout {
  /// The number of rows from the start of the prompt down to the cursor.
  ///
  /// - Parameters:
  ///   - prompt: the prompt; escapes between `\u{1}` and `\u{2}` have no width.
  ///   - line: the part of the line before the cursor.
  ///   - width: the columns of the terminal.
  /// - Returns: 0 for the row in which the prompt starts.
  package static func cursorRow(prompt: String, line: String, width: Int) -> Int {
    var row = 0
    var column = 0
    func advance(_ columns: Int) {
      if column + columns > width {
        row += 1
        column = 0
      }
      column += columns
    }
    var isHidden = false
    for scalar in prompt.unicodeScalars {
      switch scalar.value {
      case 1: isHidden = true
      case 2: isHidden = false
      default: if !isHidden { advance(DisplayWidth.columns(of: scalar)) }
      }
    }
    for scalar in line.unicodeScalars {
      switch scalar.value {
      case 0x0A:
        row += 1
        column = 0
      case 0x09: for _ in 0..<(8 - column % 8) { advance(1) }
      // Shown as ^X.
      case ..<0x20, 0x7F: for _ in 0..<2 { advance(1) }
      default: advance(DisplayWidth.columns(of: scalar))
      }
    }
    // After the last column, the cursor is already in the next row.
    return column == width ? row + 1 : row
  }

  /// Whether the terminal wraps its contents again when its width changes.
  package static func wrapsAgain(environment: (String) -> String?) -> Bool {
    if environment("TMUX") != nil { return true }
    let kind = environment("TERM") ?? "dumb"
    return !["dumb", "linux"].contains(kind) && environment("XTERM_VERSION") == nil
      && environment("STY") == nil
  }
}
