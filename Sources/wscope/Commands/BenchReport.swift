import ArgumentParser
import LoadTesting

/// `wscope bench report`.
struct BenchReport: SessionCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", _superCommandName: "wscope bench",
    abstract: "Print stored results of bench again.",
    discussion:
      "bench --out, --html and --format json write results; the file of bench --repeat has several."
  )

  @Argument(
    help: ArgumentHelp("File with results; - reads standard input.", valueName: "file"),
    completion: .file())
  var file: String

  @OptionGroup var report: ReportOptions

  @Option(
    help: ArgumentHelp(
      "When to use colour: auto (on a terminal), always or never.", valueName: "when"))
  var color = ColorOption.auto

  func run(_ context: CommandContext) async throws -> ExitStatus {
    let outputs = try report.outputs()
    let results = try StoredResult.read(file)
    guard results.count == 1 || (outputs.files.isEmpty && outputs.intervalFiles.isEmpty) else {
      throw CommandFailure(
        .usage,
        "\(file) has \(Figures.count(results.count)) results, and only one can be written to a file"
      )
    }
    // The first status that is not ok decides, as it would for that result alone.
    var status = ExitStatus.ok
    for (index, result) in results.enumerated() {
      if index > 0, outputs.format == ReportFormats.text {
        try FileContents.write("\n", to: "-", context.console)
      }
      let own = try report.write(result, to: outputs, context)
      if status == .ok { status = own }
    }
    return status
  }
}
