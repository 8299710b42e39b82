import LoadTesting

/// The parts of a merged result, a row each.
struct ShardTable {
  static let columns = [
    "Shard", "Machine", "Verdict", "Open", "Sent", "Answered/s", "p50", "p99",
  ]
  /// Columns of text.
  static let textColumns: Set<Int> = [1, 2]

  private let report: LoadReport

  init(_ report: LoadReport) { self.report = report }

  var rows: [[String]] {
    report.shards.map { row in
      [
        "\(row.shard.index)/\(row.shard.count)", row.host ?? "", row.verdict.rawValue,
        "\(Figures.count(row.opened)) of \(Figures.count(row.asked))", Figures.count(row.sent),
        Figures.rate(row.rate), row.p50.map(Figures.duration) ?? Figures.none,
        row.p99.map(Figures.duration) ?? Figures.none,
      ]
    }
  }
}
