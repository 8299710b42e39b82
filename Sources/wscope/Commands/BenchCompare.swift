import ArgumentParser
import LoadTesting

/// `wscope bench compare`.
struct BenchCompare: SessionCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", _superCommandName: "wscope bench",
    abstract: "Compare two groups of results of bench.",
    discussion: """
      The unit is the run: exact rank tests over the runs of both groups decide, and at least six runs a side are \
      needed. bench --vs makes runs in pairs, which decide more with less; its file holds both groups.
      """)

  @Argument(
    help: ArgumentHelp(
      "Files or directories (*.json) with the results of group A, or of both groups of bench --vs; - is standard input.",
      valueName: "file"),
    completion: .file())
  var files: [String]

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Files or directories with the results of group B.", valueName: "file"),
    completion: .file())
  var vs: [PublicText] = []

  @OptionGroup var comparison: ComparisonOptions

  @Flag(help: "Compare even if the configurations differ, or a result is invalid.")
  var force = false

  @Flag(name: .shortAndLong, help: "Print only the comparison and errors.")
  var quiet = false

  @Option(
    help: ArgumentHelp(
      "When to use colour: auto (on a terminal), always or never.", valueName: "when"))
  var color = ColorOption.auto

  func run(_ context: CommandContext) async throws -> ExitStatus {
    let (first, skipped) = try StoredResult.readAll(files)
    let (second, further) = vs.isEmpty ? ([], 0) : try StoredResult.readAll(vs.map(\.text))
    if !quiet, let note = MergeText.skipped(skipped + further) { context.inform(note) }
    let groups = try ComparedGroups(first.map(\.report), second.map(\.report))
    try groups.check(isForced: force)
    return try comparison.compare(groups, context)
  }
}

/// How two groups of runs are compared, and how that is printed.
struct ComparisonOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Test these metrics, at most six, as a comma-separated list (default: rtt.p50,rtt.p99,rate.answered; with six pairs only the first).",
      valueName: "list"))
  var metric: MetricListOption?

  @Option(help: ArgumentHelp("Ignore changes up to this share.", valueName: "percent"))
  var noise = PercentOption(share: 0.05)

  @Option(
    help: ArgumentHelp(
      "Fail with exit code 99 if B is worse (worse), also with 98 if that cannot be decided (unknown), or never.",
      valueName: "when"))
  var failOn = FailOnOption.worse

  @Option(help: ArgumentHelp("Format of the comparison: text or json.", valueName: "format"))
  var compareFormat = ComparisonFormatOption.text

  /// Whether each was set to something else than its default.
  var changed: [(isChanged: Bool, name: String)] {
    [
      (metric != nil, "--metric"), (noise != PercentOption(share: 0.05), "--noise"),
      (failOn != .worse, "--fail-on"), (compareFormat != .text, "--compare-format"),
    ]
  }

  /// Compares the groups and prints the comparison.
  func compare(_ groups: ComparedGroups, _ context: CommandContext) throws -> ExitStatus {
    var settings = Comparison.Settings()
    settings.metrics = metric?.names ?? []
    settings.noise = noise.share
    let comparison: Comparison
    do throws(Comparison.Failure) {
      comparison = try Comparison(groups.a, groups.b, settings)
    } catch {
      throw ComparisonText.failure(error)
    }
    let text =
      switch compareFormat {
      case .text: ComparisonText(comparison, groups).text
      case .json: ComparisonJSON(comparison, groups).text
      }
    try FileContents.write(text, to: "-", context.console)
    return failOn.status(of: comparison)
  }
}

/// `--compare-format`.
enum ComparisonFormatOption: String, ExpressibleByArgument, CaseIterable, Reportable, Sendable {
  case text
  case json
}

/// `--fail-on`.
enum FailOnOption: String, ExpressibleByArgument, CaseIterable, Reportable, Sendable {
  case worse
  case unknown
  case never

  func status(of comparison: Comparison) -> ExitStatus {
    guard self != .never else { return .ok }
    if comparison.rows.contains(where: { $0.word == .worse }) { return .thresholdBroken }
    let isUnknown = comparison.rows.contains {
      switch $0.word {
      case .unknown, .tooFew: true
      case .worse, .better, .equal, .untested: false
      }
    }
    return self == .unknown && isUnknown ? .measurementInvalid : .ok
  }
}

/// `--metric`: names separated by commas.
struct MetricListOption: ExpressibleByArgument, Hashable, Reportable, Sendable {
  var names: [String]

  init?(argument: String) {
    names = argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard !names.contains(""), Set(names).count == names.count else { return nil }
  }

  var reported: String { names.joined(separator: ",") }
}
