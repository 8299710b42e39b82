import LoadTesting

/// What `bench merge` and `bench compare` say about their inputs.
enum MergeText {
  /// nil for 0 lines.
  static func skipped(_ lines: Int) -> String? {
    guard lines > 0 else { return nil }
    let text = lines == 1 ? "1 line that is" : "\(Figures.count(lines)) lines that are"
    return "skipped \(text) not part of a result"
  }

  static func failure(_ failure: ShardMerge.Failure) -> CommandFailure {
    switch failure {
    case .nothing: CommandFailure(.usage, "no result of wscope bench found")
    case .notAShard(let name):
      CommandFailure(.usage, "\(name) is not the result of a shard: run bench with --shard")
    case .duplicate(let index, let names):
      CommandFailure(
        .usage, "two different results for shard \(index): \(names.joined(separator: " and "))")
    case .differing(let lines):
      CommandFailure(
        .usage, "the results are from different runs; --force merges them anyway", details: lines)
    case .incompatible(let lines):
      CommandFailure(.usage, "results with different messages cannot be merged", details: lines)
    case .unreadable(let name, let error): CommandFailure(.usage, "\(name): \(error.text)")
    }
  }

  static func line(_ note: ShardMerge.Note) -> String {
    switch note {
    case .repeated(let name): "\(name) appears twice and is counted once"
    case .incomplete(let index, let name):
      "ignored \(name): shard \(index) was interrupted in it, and is complete in another result"
    }
  }

  /// The first of some numbers, and how many more there are.
  static func list(_ numbers: [Int]) -> String {
    let first = numbers.prefix(10).map(String.init).joined(separator: ", ")
    let rest = numbers.count - 10
    return rest > 0 ? "\(first) and \(Figures.count(rest)) more" : first
  }

  static func missing(_ missing: [Int], of report: LoadReport) -> CommandFailure {
    let count = report.shards.first?.shard.count ?? 0
    return CommandFailure(
      .measurementInvalid,
      "\(Figures.count(count - missing.count)) of \(Figures.count(count)) shards; missing "
        + list(missing),
      details: ["--partial merges the rest"])
  }
}
