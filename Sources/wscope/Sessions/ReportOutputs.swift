import LoadTesting
import Terminal

/// The outputs for the report of a result: standard output, and files.
struct ReportOutputs: Sendable {
  struct File: Sendable {
    var path: String
    var format: ReportFormatEntry
    /// Whether the file keeps what is in it.
    var isAppended = false
  }

  /// A file that grows during a run.
  struct IntervalFile: Sendable {
    var path: String
    var format: IntervalFormat
  }

  /// The format of the report on standard output.
  var format: ReportFormatEntry
  /// Whether a heat map for the terminal follows.
  var showsHeat = false
  /// The files to write in addition.
  var files: [File] = []
  /// The files with the course of the run.
  var intervalFiles: [IntervalFile] = []

  /// Writes all outputs. If one cannot be written, warns and continues with the others.
  ///
  /// - Returns: The status of the last failure, or `.ok`.
  func write(_ report: LoadReport, _ context: CommandContext) -> ExitStatus {
    var status = ExitStatus.ok
    for file in [File(path: "-", format: format)] + files {
      do {
        var text = file.format.render(report)
        if showsHeat, file.path == "-" { text += heat(report, context) }
        try write(text, file, context)
      } catch let failure as CommandFailure {
        context.warn(failure.message)
        status = failure.status
      } catch {
        context.warn("cannot write \(file.path): \(error)")
        status = .outputFailed
      }
    }
    if context.environment["GITHUB_ACTIONS"] == "true" {
      for line in GitHubAnnotations(report).lines { context.console.note(line) }
    }
    return status
  }

  /// Writes the files with the course of a run that is over. Warns about one that cannot be written.
  ///
  /// - Returns: The status of the last failure, or `.ok`.
  func writeIntervals(of report: LoadReport, _ context: CommandContext) -> ExitStatus {
    var status = ExitStatus.ok
    for file in intervalFiles {
      do {
        try FileContents.write(file.format.text(report), to: file.path, context.console)
      } catch {
        context.warn((error as? CommandFailure)?.message ?? "cannot write \(file.path): \(error)")
        status = .outputFailed
      }
    }
    return status
  }

  private func heat(_ report: LoadReport, _ context: CommandContext) -> String {
    let isTerminal = context.console.standardOutputIsTerminal
    let width = isTerminal ? TerminalSize.of(1).columns : ReportLayout.width
    let map = HeatText(report, width: width, isColored: context.outputStyle.isOn)
    return map.map { "\n" + $0.text } ?? ""
  }

  private func write(_ text: String, _ file: File, _ context: CommandContext) throws {
    guard file.isAppended else {
      return try FileContents.write(text, to: file.path, context.console)
    }
    try FileContents.append(text, to: file.path)
  }
}
