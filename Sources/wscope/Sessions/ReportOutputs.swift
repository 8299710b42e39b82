import LoadTesting
import Terminal

/// The outputs for the report of a result: standard output, and files.
struct ReportOutputs: Sendable {
  struct File: Sendable {
    var path: String
    var format: ReportFormatEntry
  }

  /// The format of the report on standard output.
  var format: ReportFormatEntry
  /// The files to write in addition.
  var files: [File] = []

  /// Writes all outputs. If one cannot be written, warns and continues with the others.
  ///
  /// - Returns: The status of the last failure, or `.ok`.
  func write(_ report: LoadReport, _ context: CommandContext) -> ExitStatus {
    var status = ExitStatus.ok
    for file in [File(path: "-", format: format)] + files {
      do {
        try FileContents.write(file.format.render(report), to: file.path, context.console)
      } catch let failure as CommandFailure {
        context.warn(failure.message)
        status = failure.status
      } catch {
        context.warn("cannot write \(file.path): \(error)")
        status = .outputFailed
      }
    }
    return status
  }
}
