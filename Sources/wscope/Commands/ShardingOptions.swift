import ArgumentParser
import Conversation
import LoadTesting

/// A run of `bench` that several processes share.
struct ShardingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Run part i of n (counted from 0) of a run that n processes share; the other options describe the whole run. \
      "auto" takes both numbers from Slurm, Open MPI or PMI; "auto/n" also takes the part from a Kubernetes Indexed Job.
      """, valueName: "i/n"))
  var shard: ShardOption?

  @Option(
    help: ArgumentHelp(
      """
      Start connecting at this time, as in 2026-12-01T08:00:00Z, and start sending when all shards have had time to \
      connect; the default is now.
      """, valueName: "time"))
  var startAt: StartTimeOption?

  @Option(
    help: ArgumentHelp(
      "Name of the run in its result, by which merge recognizes its shards (default: a random one; with --shard, one derived from the other options).",
      valueName: "name"))
  var runId: PublicText?

  /// The part of the run that this process is.
  ///
  /// - Throws: `CommandFailure` when `auto` finds nothing.
  func part(_ environment: [String: String]) throws -> LoadReport.Shard? {
    switch shard {
    case nil: nil
    case .part(let index, let count)?: LoadReport.Shard(index: index, count: count)
    case .automatic(let count)?: try Self.automatic(count, environment)
    }
  }

  private static let launchers = [
    ("SLURM_PROCID", "SLURM_NTASKS"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
  ]

  private static func automatic(
    _ count: Int?, _ environment: [String: String]
  ) throws -> LoadReport.Shard {
    for (index, size) in launchers {
      guard let text = environment[index] else { continue }
      return try part(index, text, size, count.map(String.init) ?? environment[size])
    }
    guard let text = environment["JOB_COMPLETION_INDEX"] else {
      let names = launchers.map(\.0).joined(separator: ", ")
      throw CommandFailure(
        .usage, "--shard auto: none of \(names) and JOB_COMPLETION_INDEX is in the environment")
    }
    guard let count else {
      throw CommandFailure(
        .usage, "--shard auto: JOB_COMPLETION_INDEX is the index only: use --shard auto/N")
    }
    return try part("JOB_COMPLETION_INDEX", text, "", String(count))
  }

  private static func part(
    _ name: String, _ index: String, _ sizeName: String, _ size: String?
  ) throws -> LoadReport.Shard {
    guard let size else {
      throw CommandFailure(.usage, "--shard auto: \(sizeName) is not in the environment")
    }
    guard case .part(let index, let count)? = ShardOption(argument: "\(index)/\(size)") else {
      throw CommandFailure(
        .usage, "--shard auto: \(name) is \"\(index)\" of \(size), not a part of a run")
    }
    return LoadReport.Shard(index: index, count: count)
  }
}

/// `--shard`: `0/4` is the first of four processes that share a run, `auto` and `auto/4` ask the environment.
enum ShardOption: ExpressibleByArgument, Hashable, Sendable {
  case part(index: Int, count: Int)
  case automatic(count: Int?)

  init?(argument: String) {
    let parts = argument.split(separator: "/", omittingEmptySubsequences: false)
    func number(_ text: Substring) -> Int? {
      text.allSatisfy { $0.isASCII && $0.isNumber } ? Int(text) : nil
    }
    if argument == "auto" {
      self = .automatic(count: nil)
      return
    }
    guard parts.count == 2, let count = number(parts[1]),
      (1...LoadReport.Shard.maxCount).contains(count)
    else {
      return nil
    }
    if parts[0] == "auto" {
      self = .automatic(count: count)
    } else {
      guard let index = number(parts[0]), index < count else { return nil }
      self = .part(index: index, count: count)
    }
  }
}

extension ShardOption: Reportable {
  var reported: String {
    switch self {
    case .part(let index, let count): "\(index)/\(count)"
    case .automatic(let count): count.map { "auto/\($0)" } ?? "auto"
    }
  }
}

/// A moment in the format of RFC 3339, to the millisecond.
struct StartTimeOption: ExpressibleByArgument, Hashable, Sendable, Reportable {
  var time: UTCTime

  init?(argument: String) {
    // 2026-12-01T08:00:00, then perhaps a fraction, then Z or an offset.
    guard argument.utf8.count >= 20, argument.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
    let text = argument.uppercased()
    var rest = text.dropFirst(19)
    var fraction = "000"
    if rest.first == "." {
      let digits = rest.dropFirst().prefix { $0.isNumber }
      guard !digits.isEmpty else { return nil }
      fraction = String((digits + "00").prefix(3))
      rest = rest.dropFirst(1 + digits.count)
    }
    guard let offset = Self.offset(rest), let local = UTCTime(text.prefix(19) + ".\(fraction)Z")
    else { return nil }
    time = UTCTime(local.nanoseconds - offset)
  }

  /// The nanoseconds of `Z`, `+01:00` or `-09:30`.
  private static func offset(_ text: Substring) -> Int64? {
    if text == "Z" { return 0 }
    let fields = text.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
    guard let sign = text.first, sign == "+" || sign == "-", fields.count == 2,
      fields.allSatisfy({ $0.count == 2 }), let hours = Int64(fields[0]),
      let minutes = Int64(fields[1]), (0...23).contains(hours), (0...59).contains(minutes)
    else { return nil }
    return (sign == "-" ? -1 : 1) * (hours * 60 + minutes) * 60_000_000_000
  }

  var reported: String { time.text }
}
