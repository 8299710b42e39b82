import ArgumentParser
import LoadTesting
import Terminal

/// What is made of a result of `bench`, whether it was just measured or is read from a file.
struct ReportOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Format of the report on standard output.", valueName: "format"))
  var format = ReportFormatOption(ReportFormats.text)

  @Flag(
    help: """
      Print a heat map of the round-trip time over time after the text report, as wide as the terminal (80 columns \
      elsewhere).
      """)
  var heat = false

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

  @Option(
    help: ArgumentHelp(
      "Write the report to this file as a page with charts; bench report reads it, too.",
      valueName: "file"),
    completion: .file())
  var html: PublicText?

  @Option(
    help: ArgumentHelp(
      """
      Require this of the result, as in 'rtt.p99<50ms', 'errors.rate<0.1%' or 'rate.achieved>=99%'; may be repeated. \
      The exit code is 99 if it is broken, 98 if the measurement cannot decide it. With "abort after 10s" at the end, \
      a breach ends the run, from that time on.
      """, valueName: "limit"))
  var threshold: [PublicText] = []

  @Option(
    help: ArgumentHelp(
      "Write the thresholds and the verdict to this file as JUnit XML.", valueName: "file"),
    completion: .file())
  var junit: PublicText?

  @Option(
    help: ArgumentHelp(
      "Add a summary in Markdown to the end of this file, as in $GITHUB_STEP_SUMMARY.",
      valueName: "file"),
    completion: .file())
  var summaryMd: PublicText?

  @Option(
    help: ArgumentHelp(
      "Write a row of comma-separated values for each interval to this file, during the run.",
      valueName: "file"),
    completion: .file())
  var csv: PublicText?

  @Option(
    help: ArgumentHelp(
      "Write the samples to this file during the run, as an HdrHistogram log with a line for each interval and metric.",
      valueName: "file"),
    completion: .file())
  var hdr: PublicText?

  @Option(
    help: ArgumentHelp(
      "Write the figures to this file in the text format of Prometheus.", valueName: "file"),
    completion: .file())
  var prometheus: PublicText?

  @Option(
    help: ArgumentHelp(
      """
      What an invalid measurement means: a warning (warn) or exit code 98 (fail); off does not check the \
      measurement (default: fail with --threshold, else warn).
      """, valueName: "action"))
  var selfCheck: SelfCheckAction?

  /// The thresholds, in the order in which they were typed.
  ///
  /// - Parameter metrics: What the mode measures.
  /// - Returns: One value for each.
  /// - Throws: `CommandFailure` for a text that is not a threshold, and for one of another mode.
  func thresholds(for metrics: [Metric]) throws -> [Threshold] {
    var thresholds: [Threshold] = []
    for text in threshold.map(\.text) {
      do throws(Threshold.Failure) {
        let threshold = try Threshold(text)
        if case .metric(let metric, _) = threshold.quantity, !metrics.contains(metric) {
          throw Threshold.Failure(message: "this mode does not measure \(metric.key)")
        }
        let isRepeated = thresholds.contains {
          $0.quantity == threshold.quantity && $0.comparison == threshold.comparison
        }
        guard !isRepeated else {
          throw Threshold.Failure(message: "\"\(text)\": there is another limit for the same value")
        }
        thresholds.append(threshold)
      } catch {
        throw CommandFailure(.usage, "--threshold: \(error.message)")
      }
    }
    return thresholds
  }

  /// Writes a stored or merged result, with the percentiles and thresholds that were typed in place of its own.
  ///
  /// - Returns: The status of its thresholds, or else of the outputs.
  /// - Throws: `CommandFailure` for a threshold that does not fit its mode.
  func write(
    _ stored: LoadReport, to outputs: ReportOutputs, _ context: CommandContext
  ) throws -> ExitStatus {
    guard selfCheck != .off else {
      throw CommandFailure(.usage, "--self-check off is for a run, not for a stored result")
    }
    var result = stored
    if let levels = percentiles?.levels { result = result.showing(levels) }
    let thresholds = try thresholds(for: result.configuration.mode.metrics)
    if !thresholds.isEmpty { result.thresholds = thresholds }
    let statuses = [
      ExitStatus(thresholdsOf: result, selfCheck: selfCheck), outputs.write(result, context),
      outputs.writeIntervals(of: result, context),
    ]
    return statuses.first { $0 != .ok } ?? .ok
  }

  /// - Throws: `CommandFailure`, also for a file that cannot be written.
  func outputs() throws -> ReportOutputs {
    let wanted: [(option: String, path: PublicText?, format: ReportFormatEntry)] = [
      ("--out", out, ReportFormats.json), ("--html", html, ReportFormats.html),
      ("--junit", junit, ReportFormats.junit), ("--summary-md", summaryMd, ReportFormats.md),
      ("--prometheus", prometheus, ReportFormats.prometheus),
    ]
    var files: [ReportOutputs.File] = []
    for (option, path, format) in wanted {
      guard let path = path?.text else { continue }
      guard path != "-" else {
        throw CommandFailure(
          .usage,
          "\(option) does not write to standard output; use --format \(format.name)")
      }
      try FileContents.checkWritable(path)
      files.append(
        ReportOutputs.File(path: path, format: format, isAppended: format == ReportFormats.md))
    }
    let format = try format.entry()
    guard !heat || format == ReportFormats.text else {
      throw CommandFailure(.usage, "--heat requires --format text")
    }
    return ReportOutputs(
      format: format, showsHeat: heat, files: files, intervalFiles: try intervalFiles())
  }

  private func intervalFiles() throws -> [ReportOutputs.IntervalFile] {
    var files: [ReportOutputs.IntervalFile] = []
    if let path = csv?.text {
      guard path != "-" else {
        throw CommandFailure(
          .usage, "--csv does not write to standard output; use --format csv")
      }
      files.append(.init(path: path, format: .csv))
    }
    if let path = hdr?.text {
      guard path != "-" else {
        throw CommandFailure(.usage, "--hdr does not write to standard output; name a file")
      }
      files.append(.init(path: path, format: .histogramLog))
    }
    for file in files { try FileContents.checkWritable(file.path) }
    return files
  }
}

/// `--self-check`.
enum SelfCheckAction: String, ExpressibleByArgument, CaseIterable, Reportable, Sendable {
  case warn
  case fail
  case off

  var reported: String { rawValue }
}
