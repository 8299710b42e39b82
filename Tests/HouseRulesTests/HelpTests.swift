import TestPeers
import Testing

/// What `--help` says of each option: a sentence, its unit, its default.
@Suite(.blocking) struct HelpTests {
  typealias Argument = CommandHelp.Argument

  /// The options of all commands, with the words to name them by.
  private static func options() throws -> [(name: String, argument: Argument)] {
    func all(_ command: CommandHelp, _ path: String) -> [(String, Argument)] {
      command.arguments.map { ("\(path) \($0.names.last ?? $0.valueName ?? "")", $0) }
        + command.subcommands.filter { $0.name != "help" }.flatMap { all($0, "\(path) \($0.name)") }
    }
    return all(try CommandHelp.ofTheBinary(), "wscope")
  }

  private static func hasUnit(_ text: String, of value: String) -> Bool {
    switch value {
    case "duration": text.firstMatch(of: /\b\d+(\.\d+)? ?(us|ms|s|min|m|h)\b/) != nil
    case "size": text.firstMatch(of: /\b\d+ ?(B|KiB|MiB|GiB)\b|[Bb]ytes/) != nil
    case "rate": text.firstMatch(of: /\/s\b|(a|per) second/) != nil
    default: true
    }
  }

  @Test func everyOptionIsExplainedInASentence() throws {
    let options = try Self.options()
    #expect(options.count > 150)
    for (name, option) in options {
      let text = option.abstract
      #expect(text.first.map { $0.isUppercase || "[<".contains($0) } == true, "\(name): \(text)")
      #expect(text.hasSuffix("."), "\(name): \(text)")
      #expect(text.split(separator: " ").count >= 3 || name.hasSuffix("--version"), "\(name)")
    }
  }

  @Test func everyQuantityHasItsUnit() throws {
    for (name, option) in try Self.options() {
      let said = "\(option.abstract) \(option.defaultValue ?? "")"
      #expect(Self.hasUnit(said, of: option.valueName ?? ""), "\(name): \(said)")
    }
  }

  /// The parser prints the default that it has; where it has none, the sentence says what holds without the
  /// option. An expectation is not checked unless it is given.
  @Test func everyQuantityHasItsDefault() throws {
    let quantities = ["duration", "size", "rate", "n", "percent"]
    for (name, option) in try Self.options() where option.group != "Expectations" {
      let isSaid = option.abstract.lowercased().contains("default")
      if option.defaultValue != nil {
        #expect(!option.abstract.contains("(default:"), "\(name) has two defaults")
      } else if quantities.contains(option.valueName ?? "") {
        #expect(isSaid, "\(name): \(option.abstract)")
      }
    }
  }

  @Test func theRulesCanBeBroken() {
    #expect(!Self.hasUnit("Wait this long.", of: "duration"))
    #expect(Self.hasUnit("Wait this long, as in 20s.", of: "duration"))
    #expect(!Self.hasUnit("Reject more than 10.", of: "size"))
    #expect(!Self.hasUnit("As in 10k.", of: "rate"))
  }

  /// A person who looks for the way in finds three commands that work.
  @Test func helpBeginsWithExamples() throws {
    let help = try Program.output(["--help"])
    let examples = help.split(separator: "\n").filter {
      $0.drop { $0 == " " }.hasPrefix("wscope ") && $0.contains("#")
    }
    #expect(examples.count == 3)
    for command in ["connect", "listen", "send", "bench"] {
      let text = try Program.output([command, "--help"])
      let usage = try #require(text.firstRange(of: "OPTIONS:") ?? text.firstRange(of: "ARGUMENTS:"))
      let before = text[..<usage.lowerBound].split(separator: "\n").filter {
        $0.hasPrefix("  ") && $0.contains("wscope \(command)")
      }
      #expect(before.count >= 3, "wscope \(command) --help")
    }
  }
}
