import ArgumentParser
import LoadTesting
import Terminal

/// What is made of a result of `bench`, whether it was just measured or is read from a file.
struct ReportOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Format of the report on standard output.", valueName: "format"))
  var format = ReportFormatOption(ReportFormats.text)

  @Option(
    help: ArgumentHelp(
      "Percentiles to report, as a comma-separated list (default: 50,90,99,99.9).",
      valueName: "list"))
  var percentiles: PercentilesOption?

  @Option(
    help: ArgumentHelp(
      "Write the result to this file as JSON; bench report prints it again.", valueName: "file"),
    completion: .file())
  var out: PublicText?

  /// - Throws: `CommandFailure`, also for a file that cannot be written.
  func outputs() throws -> ReportOutputs {
    let outputs = ReportOutputs(
      format: try format.entry(),
      files: [(out, ReportFormats.json)].compactMap { path, format in
        path.map { ReportOutputs.File(path: $0.text, format: format) }
      })
    guard !outputs.files.contains(where: { $0.path == "-" }) else {
      throw CommandFailure(
        .usage, "--out does not write to standard output: --format json does")
    }
    for file in outputs.files { try FileContents.checkWritable(file.path) }
    return outputs
  }
}
