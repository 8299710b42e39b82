import ArgumentParser
import LoadTesting

/// Several runs in one command, and two servers or configurations against each other.
struct SeriesOptions: ParsableArguments {
  @Option(
    name: .customLong("repeat"),
    help: ArgumentHelp(
      "Repeat the run this many times and print the median and the range of each figure; with --vs, the number of pairs of runs (default: 8).",
      valueName: "n"))
  var repetitions: CountOption?

  @Option(
    help: ArgumentHelp(
      """
      Compare with this URL, or with these options added to the others, as in --vs='--compress': both sides are \
      measured in turn, in the order A B B A, for 10s each unless --duration is given.
      """, valueName: "url-or-options"))
  var vs: OtherSideOption?

  @OptionGroup var comparison: ComparisonOptions

  var isSeries: Bool { repetitions != nil || vs != nil }

  /// Options that concern both sides or their comparison.
  private static let common: Set<String> = [
    "--repeat", "--vs", "--metric", "--noise", "--fail-on", "--compare-format", "--out", "--html",
    "--junit", "--summary-md", "--csv", "--hdr", "--prometheus",
    "--prometheus-addr", "--prometheus-linger", "--self-check", "--threshold", "--format", "--heat",
    "--percentiles", "--shard",
    "--start-at", "--run-id", "--seed", "--schema", "--no-progress", "--quiet", "-q", "--color",
    "--verbose", "-v", "--help", "-h", "--version",
  ]

  /// Checks the options of the other side.
  ///
  /// - Throws: `CommandFailure` for one that would have no effect there.
  func checkOtherOptions(_ words: [String]) throws {
    for word in words.map({ String($0.prefix { $0 != "=" }) }) where Self.common.contains(word) {
      throw CommandFailure(.usage, "--vs: \(word) applies to both sides: give it to bench itself")
    }
  }

  /// The number of runs, or of pairs.
  ///
  /// - Throws: `CommandFailure` for a number that shows nothing.
  func count() throws -> Int {
    let count = repetitions?.value ?? 8
    guard (1...1000).contains(count) else {
      throw CommandFailure(.usage, "--repeat must be from 1 to 1000")
    }
    guard vs == nil || count >= Comparison.fewestRuns else {
      throw CommandFailure(.usage, "--vs needs at least \(Comparison.fewestRuns) pairs")
    }
    return count
  }
}

/// `--vs`: a URL, or options.
enum OtherSideOption: ExpressibleByArgument, Hashable, Sendable {
  case url(URLText)
  case options([String])

  init?(argument: String) {
    guard argument.hasPrefix("-") else {
      self = .url(URLText(argument: argument))
      return
    }
    guard let words = Self.words(argument) else { return nil }
    self = .options(words)
  }
}

extension OtherSideOption {
  /// The words of a line, as a shell would split it at spaces; quotes keep spaces, a backslash the next
  /// character. nil if a quote is not closed.
  static func words(_ line: String) -> [String]? {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var isEscaped = false
    for character in line {
      if isEscaped {
        word = (word ?? "") + String(character)
        isEscaped = false
      } else if character == "\\", quote != "'" {
        isEscaped = true
      } else if character == quote {
        quote = nil
      } else if quote == nil, character == "\"" || character == "'" {
        quote = character
        word = word ?? ""
      } else if quote == nil, character == " " {
        if let word { words.append(word) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    guard quote == nil, !isEscaped else { return nil }
    if let word { words.append(word) }
    return words
  }
}

extension OtherSideOption: Reportable {
  var reported: String {
    switch self {
    case .url(let url): url.reported
    // Some of them may be secrets.
    case .options: Redaction.replacement
    }
  }
}
