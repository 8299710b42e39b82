import LoadTesting

/// The intervals of a run as columns of charts and rows of tables: neighbours are joined until they fit.
struct TimeColumns {
  /// One interval, or some that are joined: counts add up, of figures the worst one stays.
  struct Column {
    /// Nanoseconds since the start of the window; below 0 in the warm-up.
    var start: Int64
    var duration: Int64
    var sent: Int
    var received: Int
    var open: Int
    var unanswered: Int
    var errors: Int
    var p50: Percentile?
    var p99: Percentile?
    var max: Percentile?
    var cpu: Double?
    var loopDelay: Int64?
    var cells: [HeatBuckets.Cell]

    var end: Int64 { start &+ duration }
    var middle: Int64 { start &+ duration / 2 }

    func rate(_ count: Int) -> Double { Double(count) * 1e9 / Double(Swift.max(1, duration)) }
  }

  private(set) var columns: [Column]

  /// - Parameters:
  ///   - report: Where the intervals are.
  ///   - limit: The largest number of columns.
  init(_ report: LoadReport, limit: Int) {
    columns = report.intervals.filter { $0.duration > 0 }.map(Column.init)
    guard columns.count > limit else { return }
    let stride = (columns.count + limit - 1) / limit
    var joined: [Column] = []
    var parts = 0
    for column in columns {
      // The warm-up keeps columns of its own.
      if let last = joined.last, parts < stride, (last.start < 0) == (column.start < 0) {
        joined[joined.count - 1].join(column)
        parts += 1
      } else {
        joined.append(column)
        parts = 1
      }
    }
    columns = joined
  }

  /// When the first column begins.
  var start: Int64 { columns.first?.start ?? 0 }
  /// When the last column ends.
  var end: Int64 { columns.last?.end ?? 1 }

  /// The place of a time between the first column and the last one, from 0 to 1.
  func position(_ time: Int64) -> Double {
    Double(time &- start) / Double(Swift.max(1, end &- start))
  }

  /// The columns of the window.
  var window: [Column] { columns.filter { $0.start >= 0 } }

  /// Where the warm-up is, in front of the window; nil without it.
  var warmUp: Double? { start < 0 && end > 0 ? position(0) : nil }
}

extension TimeColumns.Column {
  fileprivate init(_ interval: LoadReport.Interval) {
    self.init(
      start: interval.start, duration: interval.duration, sent: interval.sent,
      received: interval.received, open: interval.open, unanswered: interval.unanswered,
      errors: interval.errors, p50: interval.p50, p99: interval.p99, max: interval.max,
      cpu: interval.cpu, loopDelay: interval.loopDelay, cells: interval.heat.cells)
  }

  fileprivate mutating func join(_ next: Self) {
    duration &+= next.duration
    sent &+= next.sent
    received &+= next.received
    open = next.open
    unanswered &+= next.unanswered
    errors &+= next.errors
    p50 = Self.worse(p50, next.p50)
    p99 = Self.worse(p99, next.p99)
    max = Self.worse(max, next.max)
    cpu = [cpu, next.cpu].compactMap { $0 }.max()
    loopDelay = [loopDelay, next.loopDelay].compactMap { $0 }.max()
    cells = Self.sum(cells, next.cells)
  }

  private static func worse(_ one: Percentile?, _ other: Percentile?) -> Percentile? {
    guard let bound = one?.bound, let otherBound = other?.bound else { return one ?? other }
    return bound >= otherBound ? one : other
  }

  private static func sum(
    _ one: [HeatBuckets.Cell], _ other: [HeatBuckets.Cell]
  ) -> [HeatBuckets.Cell] {
    var counts: [Int: Int] = [:]
    for cell in one + other { counts[cell.bucket, default: 0] &+= cell.count }
    return counts.map { HeatBuckets.Cell(bucket: $0.key, count: $0.value) }
      .sorted { $0.bucket < $1.bucket }
  }
}
