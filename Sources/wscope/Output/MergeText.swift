import LoadTesting

/// What `bench merge` says about its inputs.
enum MergeText {
  static func failure(_ failure: ShardMerge.Failure) -> CommandFailure {
    switch failure {
    case .nothing: CommandFailure(.usage, "no result of bench in the input")
    case .notAShard(let name):
      CommandFailure(.usage, "\(name) is not the result of a shard: run bench with --shard")
    case .duplicate(let index, let names):
      CommandFailure(
        .usage, "two different results for shard \(index): \(names.joined(separator: " and "))")
    case .differing(let lines):
      CommandFailure(
        .usage, "the results are not of one run; --force merges them all the same", details: lines)
    case .incompatible(let lines):
      CommandFailure(.usage, "results of different messages cannot be merged", details: lines)
    case .unreadable(let name, let error): CommandFailure(.usage, "\(name): \(error.text)")
    }
  }

  static func line(_ note: ShardMerge.Note) -> String {
    switch note {
    case .repeated(let name): "\(name) is there twice and counts once"
    case .incomplete(let index, let name):
      "\(name) is left out: its run of shard \(index) did not complete, and another one did"
    }
  }

  static func missing(_ missing: [Int], of report: LoadReport) -> CommandFailure {
    let count = report.shards.first?.shard.count ?? 0
    return CommandFailure(
      .measurementInvalid,
      "\(Figures.count(count - missing.count)) of \(Figures.count(count)) shards; missing "
        + missing.map(String.init).joined(separator: ", "),
      details: ["--partial merges the others"])
  }
}
