import ArgumentParser
import LoadTesting

/// `wscope bench merge`.
struct BenchMerge: SessionCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge", _superCommandName: "wscope bench",
    abstract: "Merge the results of the shards of a run into one.",
    discussion: """
      Each input holds any number of results of bench --shard, also between other lines and behind a prefix on \
      each line, as kubectl logs and GNU parallel write them. Counts are added exactly, and percentiles are computed \
      from the merged histograms.
      """)

  @Argument(
    help: ArgumentHelp(
      "Files with results, directories with such files (*.json), or - for standard input.",
      valueName: "file"),
    completion: .file())
  var files: [String]

  @Flag(
    help:
      "Merge even if shards are missing; otherwise that is an error with exit code 98."
  )
  var partial = false

  @Flag(
    help: "Merge results even if their configuration, seed, version, run or time differs.")
  var force = false

  @OptionGroup var report: ReportOptions

  @Flag(name: .shortAndLong, help: "Print only the report and errors.")
  var quiet = false

  @Option(
    help: ArgumentHelp(
      "When to use colour: auto (on a terminal), always or never.", valueName: "when"))
  var color = ColorOption.auto

  func run(_ context: CommandContext) async throws -> ExitStatus {
    let outputs = try report.outputs()
    let (parts, skipped) = try StoredResult.readAll(files)
    if skipped > 0, !quiet {
      let lines = skipped == 1 ? "1 line that is" : "\(Figures.count(skipped)) lines that are"
      context.inform("skipped \(lines) not part of a result")
    }
    let merge: ShardMerge
    do throws(ShardMerge.Failure) {
      merge = try ShardMerge(parts, isForced: force)
    } catch {
      throw MergeText.failure(error)
    }
    for note in merge.notes where !quiet { context.inform(MergeText.line(note)) }
    var result = merge.report
    let missing = result.missingShards
    guard missing.isEmpty || partial else { throw MergeText.missing(missing, of: result) }
    if let levels = report.percentiles?.levels { result = result.showing(levels) }
    let thresholds = try report.thresholds(for: result.configuration.mode.metrics)
    if !thresholds.isEmpty { result.thresholds = thresholds }
    let printed = outputs.write(result, context)
    let status = ExitStatus(thresholdsOf: result)
    return status == .ok ? printed : status
  }
}
