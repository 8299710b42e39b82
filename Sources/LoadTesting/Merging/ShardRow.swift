import Conversation

extension LoadReport {
  /// What one shard contributed to a merged result.
  package struct ShardRow: Sendable, Equatable {
    /// Which part of the run it was.
    package var shard: Shard
    /// The name of the machine; nil in results that do not have it.
    package var host: String?
    /// When its window began: nanoseconds since 1970, UTC, in whole milliseconds, by the clock of its machine.
    package var windowStart: Int64
    /// How long its window was, in nanoseconds; 0 if it never began.
    package var windowLength: Int64
    /// How its own run was judged.
    package var verdict: Verdict.State
    /// Connections that it was to open.
    package var asked: Int
    package var opened: Int
    /// Messages of its window.
    package var sent: Int
    package var answered: Int
    /// The headline metric in nanoseconds, lower bounds included; nil with too few samples.
    package var p50: Int64?
    package var p99: Int64?
    /// Answers per second.
    package var rate: Double

    /// The row of the result of one shard.
    ///
    /// - Parameters:
    ///   - report: Its result.
    ///   - shard: Which part of the run it is.
    package init(_ report: LoadReport, _ shard: Shard) {
      self.shard = shard
      let window = report.phase(.measure)
      host = report.host.name
      windowStart = UTCTime(report.run.started &+ (window?.start ?? 0)).nanoseconds
      windowLength = window?.duration ?? 0
      verdict = report.verdict.state
      asked = report.connections.asked
      opened = report.connections.opened
      sent = report.messages.sent
      answered = report.messages.answered
      let headline = report.metrics[report.configuration.mode.headline]
      p50 = headline?.percentile(.p50)?.bound
      p99 = headline?.percentile(.p99)?.bound
      rate = report.rates.answered
    }

    func write(to json: inout JSONWriter) {
      json.object { json in
        json.key("shard")
        shard.write(to: &json)
        json.member("host", host)
        json.member("window_start", UTCTime(windowStart).text)
        json.member("window_ns", windowLength)
        json.member("verdict", verdict.rawValue)
        json.member("asked", asked)
        json.member("opened", opened)
        json.member("sent", sent)
        json.member("answered", answered)
        json.member("p50", p50)
        json.member("p99", p99)
        json.member("rate", rate)
      }
    }

    init(_ json: ResultValue) throws(ResultError) {
      shard = try Shard(json.member("shard"))
      host = try json.optionalText("host")
      let start = try json.member("window_start")
      guard let time = UTCTime(try start.text()) else {
        throw start.error("not a time as in 2026-11-23T08:15:00.250Z")
      }
      windowStart = time.nanoseconds
      windowLength = try json.member("window_ns").integer()
      verdict = try json.member("verdict").word()
      asked = try json.member("asked").integer()
      opened = try json.member("opened").integer()
      sent = try json.member("sent").integer()
      answered = try json.member("answered").integer()
      p50 = try json.optionalInteger("p50")
      p99 = try json.optionalInteger("p99")
      rate = try json.member("rate").number()
    }
  }

  /// The shards that are in the result, by their index: one for the result of a shard, none for that of a
  /// whole run.
  package var parts: [ShardRow] {
    if !shards.isEmpty { return shards }
    return run.shard.map { [ShardRow(self, $0)] } ?? []
  }

  /// Indexes of the shards that a merged result lacks.
  package var missingShards: [Int] {
    guard let count = shards.first?.shard.count else { return [] }
    let present = Set(shards.map(\.shard.index))
    return (0..<count).filter { !present.contains($0) }
  }
}
