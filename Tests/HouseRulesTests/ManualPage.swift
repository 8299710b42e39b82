import TestPeers

/// The source of a manual page, in mdoc(7). A region between two markers is made by a program, all
/// the rest by hand.
struct ManualPage {
  enum Region: String, CaseIterable {
    case options = "OPTIONS"
    case exitStatus = "EXIT STATUS"

    var begin: String { ".\\\" BEGIN \(rawValue): made by UPDATE_ARTIFACTS=1 swift test" }
    var end: String { ".\\\" END \(rawValue)" }
  }

  var lines: [String]

  init(_ text: String) {
    lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  var text: String { lines.joined(separator: "\n") }

  /// Where a region is, without its markers.
  ///
  /// - Throws: when the markers do not stand there exactly once.
  func range(of region: Region) throws -> Range<Int> {
    let begins = lines.indices.filter { lines[$0] == region.begin }
    let ends = lines.indices.filter { lines[$0] == region.end }
    guard begins.count == 1, ends.count == 1, begins[0] < ends[0] else {
      throw TestPeerError("there must be one \"\(region.begin)\" and one \"\(region.end)\"")
    }
    return begins[0] + 1..<ends[0]
  }

  func has(_ region: Region) -> Bool { lines.contains(region.begin) || lines.contains(region.end) }

  /// The page without its regions.
  var handWritten: [String] {
    var isInside = false
    return lines.filter { line in
      if Region.allCases.contains(where: { $0.begin == line }) { isInside = true }
      defer { if Region.allCases.contains(where: { $0.end == line }) { isInside = false } }
      return !isInside
    }
  }

  /// The lines below a heading, up to the next one of the same kind.
  func section(_ heading: String) -> ArraySlice<String> {
    guard let start = lines.firstIndex(of: heading) else { return [] }
    let kind = heading.prefix(3)
    let below = lines[(start + 1)...]
    return below[..<(below.firstIndex { $0.hasPrefix(kind) } ?? below.endIndex)]
  }

  /// The examples as they are typed: the lines of the displays of a section.
  func displayed(in heading: String) -> [String] {
    var isInside = false
    return section(heading).compactMap { line in
      if line.hasPrefix(".Bd") { isInside = true }
      if line.hasPrefix(".Ed") { isInside = false }
      if line.hasPrefix(".Dl ") { return Roff.read(String(line.dropFirst(4))) }
      return isInside && !line.hasPrefix(".") ? Roff.read(line) : nil
    }
  }
}

/// Text in the language of manual pages.
enum Roff {
  /// Text as lines that a reader of the source can read, a new sentence on a new line.
  static func lines(_ text: String) -> [String] {
    var lines = [""]
    for word in text.split(separator: " ") {
      let isNewSentence = lines[lines.count - 1].hasSuffix(".")
      if isNewSentence || lines[lines.count - 1].count + word.count > 76 { lines.append("") }
      lines[lines.count - 1] += (lines[lines.count - 1].isEmpty ? "" : " ") + escaped(String(word))
    }
    // A dot or an apostrophe at the start would be taken for a macro.
    return lines.map { $0.hasPrefix(".") || $0.hasPrefix("'") ? "\\&" + $0 : $0 }
  }

  /// A word in which nothing is meant for roff, and `-` is the one of the keyboard.
  static func escaped(_ word: String) -> String {
    word.reduce(into: "") { text, letter in
      switch letter {
      case "\\": text += "\\e"
      case "-": text += "\\-"
      default: text.append(letter)
      }
    }
  }

  /// An argument of a macro.
  static func argument(_ word: String) -> String {
    let text = escaped(word)
    return text.contains(" ") ? "\"\(text)\"" : text
  }

  /// The inverse of `escaped`, for examples.
  static func read(_ text: String) -> String {
    text.replacing("\\-", with: "-").replacing("\\&", with: "").replacing("\\(aq", with: "'")
      .replacing("\\(dq", with: "\"").replacing("\\e", with: "\\")
  }
}

/// What is made of the binary's own words.
enum GeneratedRegion {
  /// The options of a command: those of no group first, then group by group.
  static func options(_ command: CommandHelp) -> [String] {
    var groups: [String?] = [nil]
    for argument in command.arguments where !groups.contains(argument.group) {
      groups.append(argument.group)
    }
    return groups.flatMap { group in
      (group.map { [".Ss \($0)"] } ?? []) + [".Bl -tag -width Ds"]
        + command.arguments.filter { $0.group == group }.flatMap(item) + [".El"]
    }
  }

  private static func item(_ argument: CommandHelp.Argument) -> [String] {
    let value = argument.valueName.map { name in
      let value = "Ar " + Roff.argument(name)
      return argument.isValueOptional ? " Ns Oo = Ns \(value) Oc" : " " + value
    }
    let names = argument.names.map { " Fl " + Roff.escaped(String($0.dropFirst())) }
    let dots = names.isEmpty && argument.isRepeating ? " ..." : ""
    let facts = [
      argument.values.isEmpty ? nil : "Values: " + argument.values.joined(separator: ", ") + ".",
      argument.defaultValue.map { "Default: \($0)." },
    ].compactMap(\.self)
    return [".It" + names.joined(separator: " ,") + (value ?? "") + dots]
      + ([argument.abstract] + facts).flatMap(Roff.lines)
  }

  /// The table, and which of its codes are kept for later.
  static func exitStatus(_ table: [(code: Int32, meaning: String)], unused: [Int32]) -> [String] {
    let reserved = unused.map(String.init).joined(separator: ", ")
    return [".Bl -tag -width 143"]
      + table.flatMap { row in [".It \(row.code)"] + Roff.lines(row.meaning) } + [".El", ".Pp"]
      + Roff.lines(unused.isEmpty ? "Every code is in use." : "No command returns \(reserved) yet.")
  }
}
