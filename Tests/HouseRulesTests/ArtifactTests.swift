import ArgumentParser
import Glibc
import TestPeers
import Testing

@testable import wscope

/// The manual pages and the completions say what the binary says.
///
/// `UPDATE_ARTIFACTS=1 swift test --filter ArtifactTests` writes them anew, before the others look.
@Suite(.serialized, .blocking) struct ArtifactTests {
  static let pages = [
    "wscope", "wscope-connect", "wscope-listen", "wscope-send", "wscope-bench",
  ]
  private static let updates = getenv("UPDATE_ARTIFACTS") != nil

  private static func page(_ name: String) throws -> ManualPage {
    ManualPage(try Repository.text("man/\(name).1"))
  }

  private static func command(of page: String) throws -> CommandHelp {
    let help = try CommandHelp.ofTheBinary()
    var command = try #require(help.command(of: page), "no command for \(page).1")
    // The parser knows no such options: `Spelling` gives them a value before it looks.
    for (index, argument) in command.arguments.enumerated() where argument.valueName != nil {
      command.arguments[index].isValueOptional = try argument.names.contains {
        try Spelling.normalized(["send", $0]).last != $0
      }
    }
    return command
  }

  private static var exitTable: [(code: Int32, meaning: String)] {
    ExitStatus.allCases.map { ($0.rawValue, $0.meaning) }
  }

  /// Codes that the sources name in their table only.
  private static func unusedCodes() throws -> [Int32] {
    let words = try Repository.sources.get().filter { $0.target == "wscope" }.flatMap(\.words)
      .filter { $0.before.hasSuffix(".") }.map(\.text)
    let uses = Dictionary(grouping: words) { $0 }.mapValues(\.count)
    // Once for its words.
    return ExitStatus.allCases.filter { uses["\($0)", default: 0] < 2 }.map(\.rawValue)
  }

  // MARK: What is made

  @Test(arguments: pages)
  func theRegionsAreWhatTheBinarySays(_ name: String) throws {
    let path = "man/\(name).1"
    var page = try Self.page(name)
    var regions = [
      ManualPage.Region.options: GeneratedRegion.options(try Self.command(of: name))
    ]
    if name == "wscope" {
      regions[.exitStatus] = GeneratedRegion.exitStatus(
        Self.exitTable, unused: try Self.unusedCodes())
    }
    for region in ManualPage.Region.allCases {
      guard let wanted = regions[region] else {
        #expect(!page.has(region), "\(path) has a region \(region.rawValue) of its own")
        continue
      }
      let range = try page.range(of: region)
      if Self.updates { page.lines.replaceSubrange(range, with: wanted) }
      let found = Array(page.lines[try page.range(of: region)])
      #expect(found == wanted, "\(path), \(region.rawValue): to be made anew")
    }
    if Self.updates { try Repository.write(page.text, to: path) }
  }

  @Test(arguments: [
    ("bash", "wscope.bash"), ("zsh", "_wscope"), ("fish", "wscope.fish"),
  ])
  func theCompletionsAreWhatTheBinarySays(_ shell: String, _ file: String) throws {
    let path = "completions/\(file)"
    let script = try Program.output(["--generate-completion-script", shell])
    #expect(script.contains("wscope"))
    if Self.updates { try Repository.write(script, to: path) }
    let isEqual = try Repository.text(path) == script
    #expect(isEqual, "\(path): to be made anew")
  }

  // MARK: What is written by hand

  /// Found in the page without the help of what has made its region.
  @Test(arguments: pages)
  func everyFlagIsInItsPage(_ name: String) throws {
    let items = try Self.page(name).lines.filter { $0.hasPrefix(".It") }
      .map { Roff.read($0) + " " }
    let command = try Self.command(of: name)
    // The page of a command is that of the commands below it too; the first page has pages for them.
    let below = name == "wscope" ? [] : command.subcommands
    for flag in ([command] + below).flatMap(\.arguments).flatMap(\.names) {
      let macro = "Fl \(flag.dropFirst()) "
      #expect(items.contains { $0.contains(macro) }, "\(name).1: \(flag)")
    }
  }

  @Test(arguments: pages)
  func noPageNamesAFlagThatIsNone(_ name: String) throws {
    let command = try Self.command(of: name)
    // The first page speaks of what its commands have in common.
    let known = Set(
      ([command] + command.subcommands).flatMap(\.arguments).flatMap(\.names)
        + (name == "wscope" ? Self.rootSpellings : []))
    for line in try Self.page(name).handWritten where line.hasPrefix(".") {
      let words = Roff.read(line).split(separator: " ")
      for (macro, flag) in zip(words, words.dropFirst()) where macro.hasSuffix("Fl") {
        #expect(known.contains("-\(flag)"), "\(name).1: \(line)")
      }
    }
  }

  /// What `Spelling` understands, which is no option.
  private static let rootSpellings = ["-c", "-l", "-V"]

  @Test func theExitTableIsTheOneOfTheCode() throws {
    let page = try Self.page("wscope")
    var table: [String] = []
    let region = page.lines[try page.range(of: .exitStatus)]
    for line in region.prefix(while: { $0 != ".El" }) {
      if line.hasPrefix(".It ") {
        table.append(String(line.dropFirst(4)) + ":")
      } else if !line.hasPrefix("."), !table.isEmpty {
        table[table.count - 1] += " " + Roff.read(line)
      }
    }
    #expect(table == Self.exitTable.map { "\($0.code): \($0.meaning)" })
    #expect(table.count > 20)
  }

  @Test(arguments: pages)
  func theExitCodesOfAPageAreInTheTable(_ name: String) throws {
    let codes = try Self.page(name).section(".Sh EXIT STATUS")
      .filter { $0.hasPrefix(".It ") }.map { String($0.dropFirst(4)) }
    #expect(Set(codes).isSubset(of: Self.exitTable.map { String($0.code) }))
  }

  @Test func everySlashCommandIsInTheManual() throws {
    let section = try Self.page("wscope-connect").section(".Ss Commands")
    let items = section.filter { $0.hasPrefix(".It Ic /") }.map { line in
      // ".It Ic /close Op Ar code Op Ar reason": the name and its arguments, without macros
      line.split(separator: " ").dropFirst(2).filter { !["Op", "Oo", "Oc", "Ar"].contains($0) }
        .joined(separator: " ")
    }
    let commands = CommandRegistry.entries.map { entry in
      let arguments = entry.arguments.filter { !"[]".contains($0) }
      return "/\(entry.name)" + (arguments.isEmpty ? "" : " \(arguments)")
    }
    #expect(items.sorted() == commands.sorted())
  }

  /// `| what | 64 MiB, and more words | `send --max-message` |`: the limit is the option's default.
  @Test func theLimitsOfTheSecurityPageAreTheDefaults() throws {
    let help = try CommandHelp.ofTheBinary()
    var checked = 0
    for line in try Repository.text("Sources/wscope/wscope.docc/Security.md").split(separator: "\n")
    {
      let cells = line.split(separator: "|").map { $0.filter { $0 != " " } }
      guard cells.count == 3, cells[2].hasPrefix("`"), let dashes = cells[2].firstRange(of: "--")
      else { continue }
      let command = cells[2][..<dashes.lowerBound].dropFirst()
      let flag = cells[2][dashes.lowerBound...].dropLast()
      let option = try #require(
        help.subcommands.first { $0.name == command }?.arguments
          .first { $0.names.contains(String(flag)) }, "\(line)")
      guard let wanted = option.defaultValue?.filter({ $0 != " " }) else { continue }
      #expect(cells[1].split(separator: ",").first == Substring(wanted), "\(line)")
      checked += 1
    }
    #expect(checked >= 6)
  }

  /// A picture of the house that names what is no longer there is worse than none.
  @Test func theArchitectureNamesWhatIsThere() throws {
    let page = try Repository.text("Sources/wscope/wscope.docc/Architecture.md")
    let present = page[..<(page.firstRange(of: "Deliberately absent")?.lowerBound ?? page.endIndex)]
    let tests = try Repository.files(below: "Tests/HouseRulesTests").compactMap {
      $0.split(separator: "/").last?.split(separator: ".").first.map(String.init)
    }
    let known = try Repository.sources.get()
      .reduce(into: Set(HouseRule.mayImport.keys).union(tests)) { known, file in
        known.formUnion(file.words.map(\.text))
        known.formUnion(file.path.split { "/.".contains($0) }.map(String.init))
      }
    // Every second piece stands between backticks; drawings stand between three of them.
    let quoted = present.split(separator: "`", omittingEmptySubsequences: false).enumerated()
      .filter { $0.offset % 2 == 1 }.map(\.element)
    let names = quoted.filter { $0.first?.isUppercase == true && !$0.contains(" ") }
    #expect(names.count > 40)
    let parts = names.flatMap { $0.split { "/.".contains($0) } }.map(String.init)
    #expect(parts.filter { !known.contains($0) } == [])
  }

  // MARK: Examples

  /// Every example is a command line that the parser takes.
  @Test(arguments: pages)
  func theExamplesAreUnderstood(_ name: String) throws {
    let calls = try Self.page(name).displayed(in: ".Sh EXAMPLES").flatMap(ShellLine.commands)
      .filter { $0.first == "wscope" }
    #expect(calls.count >= 2, "\(name).1 has no examples")
    for call in calls {
      #expect(throws: Never.self, "\(name).1: \(call.joined(separator: " "))") {
        _ = try Wscope.parsed(Spelling.normalized(Array(call.dropFirst())))
      }
    }
  }
}

/// A line for the shell, as far as examples need it.
enum ShellLine {
  /// The commands of the line, each as its words, without redirections.
  static func commands(_ line: String) -> [[String]] {
    var commands: [[String]] = [[]]
    var isRedirected = false
    for token in tokens(line) {
      switch token {
      case .word(let word):
        if !isRedirected { commands[commands.count - 1].append(word) }
        isRedirected = false
      case .redirection: isRedirected = true
      case .end: commands.append([])
      }
    }
    return commands.filter { !$0.isEmpty }
  }

  private enum Token {
    case word(String)
    case redirection
    case end
  }

  private static func tokens(_ line: String) -> [Token] {
    var tokens: [Token] = []
    var word: String?
    var quote: Character?
    func finish() {
      if let finished = word { tokens.append(.word(finished)) }
      word = nil
    }
    for letter in line {
      switch (quote, letter) {
      case (let open?, _) where open == letter: quote = nil
      case (.some, _): word?.append(letter)
      case (nil, "'"), (nil, "\""):
        quote = letter
        word = word ?? ""
      case (nil, " "): finish()
      case (nil, "#") where word == nil: return tokens
      case (nil, "|"), (nil, "&"), (nil, ";"), (nil, "("), (nil, ")"):
        finish()
        tokens.append(.end)
      case (nil, "<"), (nil, ">"):
        finish()
        tokens.append(.redirection)
      default: word = (word ?? "") + String(letter)
      }
    }
    finish()
    return tokens
  }
}

@Suite(.blocking) struct ManualPageTests {
  @Test(arguments: [
    ("a b", ["a b"]), ("One. Two.", ["One.", "Two."]), (".a 'b", ["\\&.a 'b"]), ("'a", ["\\&'a"]),
    ("--a \\b", ["\\-\\-a \\eb"]),
  ])
  func textIsSafeForRoff(_ text: String, _ lines: [String]) {
    #expect(Roff.lines(text) == lines)
    #expect(Roff.read(lines.joined(separator: " ")) == text)
  }

  @Test(arguments: [
    ("wscope send :1 'a b' | jq . # c", [["wscope", "send", ":1", "a b"], ["jq", "."]]),
    ("a <b && c \"d|e\" >/dev/null &", [["a"], ["c", "d|e"]]),
  ])
  func shellLinesAreRead(_ line: String, _ commands: [[String]]) {
    #expect(ShellLine.commands(line) == commands)
  }

  @Test func handWrittenIsWhatIsBetweenTheRegions() throws {
    let region = ManualPage.Region.options
    let page = ManualPage("a\n\(region.begin)\nb\n\(region.end)\nc")
    #expect(page.handWritten == ["a", "c"])
    #expect(try page.range(of: region) == 2..<3)
    #expect(throws: TestPeerError.self) { try page.range(of: .exitStatus) }
  }
}
