import Conversation

/// The manual pages and their sections, for those who did not install the pages.
enum Manual {
  /// Finds what `wscope help WORDS` prints.
  ///
  /// - Parameter words: Nothing for the list of topics, a command for its page, a section of any page, or
  ///   a command and a section of its page. Sections are compared without case, and `-` is a space.
  /// - Returns: The page, the sections or the list, without a newline at the end.
  /// - Throws: `CommandFailure` for an unknown topic, with the nearest one.
  static func text(_ words: [String]) throws(CommandFailure) -> String {
    guard let first = words.first else { return topics }
    guard let page = page(of: first) else {
      return try section(words, of: pages, in: "the manual")
    }
    guard words.count > 1 else { return page.text }
    return try section(Array(words.dropFirst()), of: [page], in: "\(page.name)(1)")
  }

  static let pages = ManualText.pages.map(ManualPageText.init)

  private static func page(of command: String) -> ManualPageText? {
    pages.first { $0.name == command || $0.name == "wscope-\(command)" }
  }

  /// The first page that has such a section decides; there, several sections can have the same name.
  private static func section(
    _ words: [String], of pages: [ManualPageText], in place: String
  ) throws(CommandFailure) -> String {
    let wanted = key(words.joined(separator: " "))
    for page in pages {
      let found = page.sections.filter { key($0.title) == wanted }
      guard found.isEmpty else {
        return (["\(page.name)(1)"] + found.map(\.text)).joined(separator: "\n\n")
      }
    }
    let known = pages.flatMap { $0.sections.map { key($0.title) } }
    let commands = pages.count > 1 ? Spelling.commands : []
    let near = Nearest.word(to: wanted, among: commands + known)
    throw CommandFailure(
      .usage, "no topic \"\(words.joined(separator: " "))\" in \(place)",
      details: [
        near.map { "did you mean \"\($0)\"?" } ?? "topics: wscope help"
      ])
  }

  private static func key(_ title: String) -> String {
    String(title.lowercased().map { $0 == "-" ? " " : $0 })
  }

  private static var topics: String {
    """
    wscope help COMMAND          prints a manual page
    wscope help COMMAND SECTION  prints a section of it: wscope help send steps
    wscope help SECTION          prints a section of any page: wscope help proxies

    """
      + pages.map { page in
        "\n" + page.name.map { $0 == "-" ? " " : $0 } + "\n"
          + wrapped(page.uniqueTitles.map { key($0) })
      }.joined(separator: "\n")
  }

  /// The titles in lines of at most 78 columns, indented.
  private static func wrapped(_ titles: [String]) -> String {
    var lines: [String] = []
    for (index, title) in titles.enumerated() {
      let piece = index + 1 < titles.count ? title + ", " : title
      if let last = lines.last, last.count + piece.count <= 78 {
        lines[lines.count - 1] += piece
      } else {
        lines.append("  " + piece)
      }
    }
    return lines.map { line in
      var line = Substring(line)
      while line.hasSuffix(" ") { line.removeLast() }
      return String(line)
    }.joined(separator: "\n")
  }
}

/// A page as mandoc prints it.
struct ManualPageText {
  /// `wscope-send`
  var name: String
  var text: String
  var sections: [Section] = []

  struct Section {
    var title: String
    /// From its title to the next one of its kind or of a higher kind.
    var text: String
  }

  init(name: String, text: String) {
    self.name = name
    self.text = text
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      guard let level = Self.level(line) else { continue }
      let body = lines[(index + 1)...].prefix { line in
        Self.level(line).map { $0 > level } ?? true
      }
      var whole = ([line] + body).joined(separator: "\n")
      while whole.hasSuffix("\n") { whole.removeLast() }
      sections.append(Section(title: line.drop { $0 == " " }.description, text: whole))
    }
  }

  var uniqueTitles: [String] {
    sections.map(\.title).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  /// 0 for a section, 1 for a subsection, nil for another line: mandoc indents them by 0, 3 and 5 columns.
  private static func level(_ line: Substring) -> Int? {
    switch line.prefix(while: { $0 == " " }).count {
    case 0 where !line.isEmpty: 0
    case 3: 1
    default: nil
    }
  }
}
