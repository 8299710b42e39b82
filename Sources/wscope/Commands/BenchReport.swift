import ArgumentParser
import LoadTesting

/// `wscope bench report`.
struct BenchReport: SessionCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", _superCommandName: "wscope bench",
    abstract: "Print a stored result of bench again.",
    discussion: "The result is a file that bench --out, --html or --format json wrote.")

  @Argument(
    help: ArgumentHelp("A stored result; - reads standard input.", valueName: "file"),
    completion: .file())
  var file: String

  @OptionGroup var report: ReportOptions

  @Option(
    help: ArgumentHelp(
      "When to use colour: auto (on a terminal), always or never.", valueName: "when"))
  var color = ColorOption.auto

  func run(_ context: CommandContext) async throws -> ExitStatus {
    let outputs = try report.outputs()
    var result = try StoredResult.read(file)
    if let levels = report.percentiles?.levels { result = result.showing(levels) }
    let thresholds = try report.thresholds(for: result.configuration.mode.metrics)
    if !thresholds.isEmpty { result.thresholds = thresholds }
    let printed = outputs.write(result, context)
    let status = ExitStatus(thresholdsOf: result)
    return status == .ok ? printed : status
  }
}
