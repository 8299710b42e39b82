import ArgumentParser
import LoadTesting

/// `wscope bench merge`.
struct BenchMerge: SessionCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge", _superCommandName: "wscope bench",
    abstract: "Merge the results of the shards of a run into one.",
    discussion: """
      Each input may contain several results of bench --shard, with other lines between them and a prefix on each \
      line, as in the output of kubectl logs and GNU parallel. Counts are added exactly, and percentiles are computed \
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
      "Merge even if shards are missing, which is an error with exit code 98 otherwise."
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
    if !quiet, let note = MergeText.skipped(skipped) { context.inform(note) }
    let merge: ShardMerge
    do throws(ShardMerge.Failure) {
      merge = try ShardMerge(parts, isForced: force)
    } catch {
      throw MergeText.failure(error)
    }
    for note in merge.notes where !quiet { context.inform(MergeText.line(note)) }
    let result = merge.report
    let missing = result.missingShards
    guard missing.isEmpty || partial else { throw MergeText.missing(missing, of: result) }
    return try report.write(result, to: outputs, context)
  }
}
