import ArgumentParser
import LoadTesting

/// Several runs in one command, and two servers or configurations against each other.
struct SeriesOptions: ParsableArguments {
  @Option(
    name: .customLong("repeat"),
    help: ArgumentHelp(
      "Make this many runs and print the median and the range of their figures; with --vs, this many pairs of runs (default: 8).",
      valueName: "n"))
  var repetitions: CountOption?

  @Option(
    help: ArgumentHelp(
      """
      Compare with this URL, or with these options in place of the ones given, as in --vs='--compress': both are \
      measured in turn, in the order A B B A, for 10s each unless --duration is given.
      """, valueName: "url-or-options"))
  var vs: OtherSideOption?

  @OptionGroup var comparison: ComparisonOptions

  var isSeries: Bool { repetitions != nil || vs != nil }

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
    self = .options(argument.split(separator: " ").map(String.init))
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
