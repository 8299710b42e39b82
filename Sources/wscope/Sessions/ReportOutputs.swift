import LoadTesting
import Terminal

/// Where the report of a result goes: standard output, and files.
struct ReportOutputs: Sendable {
  struct File: Sendable {
    var path: String
    var format: ReportFormatEntry
  }

  /// The format of the report on standard output.
  var format: ReportFormatEntry
  /// What else is written.
  var files: [File] = []

  /// Writes all of it. What cannot be written gets a line, and the rest is written all the same.
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
