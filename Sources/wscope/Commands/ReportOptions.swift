import ArgumentParser
import LoadTesting
import Terminal

/// What is made of a result of `bench`, whether it was just measured or is read from a file.
struct ReportOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Format of the report.", valueName: "format"))
  var format = ReportFormatOption(ReportFormats.text)

  @Option(
    help: ArgumentHelp(
      "The percentiles to report, with commas between them (default: 50,90,99,99.9).",
      valueName: "list"))
  var percentiles: PercentilesOption?

  @Option(
    help: ArgumentHelp(
      "Write the result to this file as JSON, for bench report.", valueName: "file"),
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
