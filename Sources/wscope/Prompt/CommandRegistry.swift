import Conversation
import Terminal

/// All commands, and operations on all of them: look-up, help, completion.
enum CommandRegistry {
  static let entries =
    ConnectionCommands.entries + SendingCommands.entries + DisplayCommands.entries
    + KeepingCommands.entries

  static func entry(_ name: String) -> CommandEntry? { entries.first { $0.name == name } }

  /// Parses a line that begins with a single `/`.
  static func parse(_ line: String) throws(CommandError) -> SlashCommand {
    let words = line.dropFirst().split(
      separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    let name = words.first.map(String.init) ?? ""
    guard let entry = entry(name) else {
      throw CommandError(
        "unknown command /\(name)\(suggestion(for: name)); /help lists commands, //\(name) sends the text"
      )
    }
    return try entry.parse(words.count > 1 ? trimmed(words[1]) : "")
  }

  private static func trimmed(_ text: Substring) -> String {
    var text = text.drop { $0 == " " }
    while text.last == " " { text.removeLast() }
    return String(text)
  }

  /// `; did you mean /ping?`, or an empty string.
  static func suggestion(for name: String) -> String {
    Nearest.word(to: name, among: entries.map(\.name)).map { "; did you mean /\($0)?" } ?? ""
  }

  // MARK: Help

  /// The list of commands: with their summaries if the terminal is wide enough, otherwise in a few
  /// rows.
  static func help(columns: Int) -> [String] {
    let ends = [
      "Tab completes, Ctrl-R searches, Ctrl-D leaves; //text sends /text."
    ]
    guard columns >= 78 else {
      return rows(of: entries.map { "/" + $0.name }, columns: columns) + ["/help NAME explains"]
    }
    let cells = entries.map { entry in
      entry.summary.isEmpty ? entry.call : "\(Figures.left(entry.call, 23)) \(entry.summary)"
    }
    let rows = (cells.count + 1) / 2
    return (0..<rows).map { row in
      row + rows < cells.count ? Figures.left(cells[row], 41) + cells[row + rows] : cells[row]
    } + ends
  }

  /// The words in rows, as many per row as fit.
  private static func rows(of words: [String], columns: Int) -> [String] {
    words.reduce(into: []) { rows, word in
      if let last = rows.last, last.count + 1 + word.count <= columns {
        rows[rows.count - 1] = last + " " + word
      } else {
        rows.append(word)
      }
    }
  }

  /// The text of `/help NAME`.
  static func help(_ name: String) -> [String] {
    guard let entry = entry(name) else { return [] }
    return [entry.call, "  " + entry.explanation]
  }

  // MARK: Completion

  /// The candidates for Tab.
  ///
  /// - Parameters:
  ///   - line: the typed line.
  ///   - cursor: the position of the cursor, in bytes.
  ///   - urls: URLs visited before, for `/connect`.
  /// - Returns: words or file names; no words if nothing matches.
  static func completion(_ line: String, cursor: Int, urls: [String]) -> LineEditor.Completion {
    let typed = String(decoding: line.utf8.prefix(cursor), as: UTF8.self)
    guard typed.hasPrefix("/"), !typed.hasPrefix("//") else { return .words([]) }
    guard let space = typed.firstIndex(of: " ") else {
      return .words(entries.map { "/" + $0.name })
    }
    guard let entry = entry(String(typed[..<space].dropFirst())) else { return .words([]) }
    let before = typed[typed.index(after: space)...].prefix { $0 == " " }
    let start = typed.utf8.distance(from: typed.startIndex, to: before.endIndex)
    let isFirstWord = !typed[before.endIndex...].contains(" ")
    switch entry.argument {
    case .fileName: return .fileNames(from: start)
    case .words(let words) where isFirstWord: return .words(words)
    case .url where isFirstWord: return .words(urls)
    case .command where isFirstWord: return .words(entries.map(\.name))
    case .nothing, .words, .url, .command: return .words([])
    }
  }
}
