import Conversation
import TestPeers
import Testing
import WebSocketProtocol

@testable import LoadTesting

@Suite(.blocking) struct HistogramCodecTests {
  /// Durations over the whole range, with heavy and light buckets.
  static func random(_ generator: inout SeededGenerator) -> LatencyHistogram {
    var histogram = LatencyHistogram()
    for _ in 0..<Int.random(in: 0...60, using: &generator) {
      let magnitude = Int64.random(in: 0...41, using: &generator)
      let ns = Int64.random(in: 0...(1 << magnitude), using: &generator)
      for _ in 0..<Int.random(in: 1...4, using: &generator) { histogram.record(ns) }
    }
    return histogram
  }

  @Test func randomHistogramsRoundTrip() throws {
    var generator = SeededGenerator(seed: 20_261_128, stream: 0)
    for _ in 0..<60 {
      let histogram = Self.random(&generator)
      let text = try #require(HistogramCodec.encode(histogram))
      #expect(text.hasPrefix("HISTFAAA"))
      let read = try HistogramCodec.decode(text)
      #expect(read.buckets == histogram.buckets)
      #expect(read.count == histogram.count)
      #expect(HistogramCodec.encode(read) == text)
      guard let min = histogram.min, let max = histogram.max else {
        #expect(read.min == nil)
        continue
      }
      let ends = (HistogramBuckets.index(of: min), HistogramBuckets.index(of: max))
      #expect(read.min == HistogramBuckets.lowest(of: ends.0))
      #expect(read.max.map(HistogramBuckets.index) == ends.1)
      #expect(LatencyHistogram(read.buckets, min: min, max: max).max == max)
    }
  }

  @Test func bucketsCoverTheRangeWithoutGaps() {
    #expect(HistogramBuckets.lowest(of: 0) == 0)
    for index in 1..<HistogramBuckets.count {
      let lowest = HistogramBuckets.lowest(of: index)
      #expect(lowest == HistogramBuckets.highest(of: index - 1) + 1)
      guard lowest <= LatencyHistogram.longest else { continue }
      #expect(HistogramBuckets.index(of: lowest) == index)
    }
    #expect(HistogramBuckets.highest(of: HistogramBuckets.count - 1) > LatencyHistogram.longest)
  }

  /// Encoded by `hdrhistogram` 0.10.8 of PyPI.
  @Test func whatAnotherLibraryWroteIsRead() throws {
    var histogram = LatencyHistogram()
    for ns in [0, 1, 2047, 2048, 2049, 2049, 2049, 1_500_000, 1_500_100, 5_000_000_000] as [Int64] {
      histogram.record(ns)
    }
    histogram.record(LatencyHistogram.longest)
    let read = try HistogramCodec.decode(
      "HISTFAAAADR4nJNpmSzMwMAgxAABzFCaEch0M9ixgMH+A0SAiemnPBPH22mMLHd3MzIdnc7IBADT7goF")
    #expect(read.buckets == histogram.buckets)
  }

  @Test func largeCountsRoundTrip() throws {
    var buckets = HistogramBuckets()
    let counts = [1, 63, 64, 8191, 8192, 1 << 40, 1 << 55, 1 << 61]
    for (index, count) in counts.enumerated() { buckets.append(index: index * 3, count: count) }
    let packed = HistogramCodec.pack(buckets)
    #expect(try HistogramCodec.unpack(packed[...]) == buckets)
  }

  // MARK: What cannot be read

  private static func encoded(_ change: (inout [UInt8]) -> Void) -> String {
    var body: [UInt8] = [
      0x1C, 0x84, 0x93, 0x13, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,
      3, 0x46, 0x30, 0xB8, 0xA0, 0, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0, 2,
    ]
    change(&body)
    let compressed = ZlibBody.compress(body) ?? []
    let length = UInt32(compressed.count)
    let head = [0x1C, 0x84, 0x93, 0x14] + withUnsafeBytes(of: length.bigEndian) { Array($0) }
    return (head + compressed).withUnsafeBytes { Base64.encode($0) }
  }

  @Test func theSmallestIsRead() throws {
    #expect(try HistogramCodec.decode(Self.encoded { _ in }).count == 1)
  }

  static let damaged: [(String, @Sendable (inout [UInt8]) -> Void)] = [
    ("4 digits instead of 3", { $0[15] = 4 }),
    ("2 ns as the lowest value instead of 1", { $0[23] = 2 }),
    ("3600000000001 ns as the highest value instead of 3600000000000", { $0[31] = 1 }),
    ("1 as the offset of its counts instead of 0", { $0[11] = 1 }),
    ("values that are not integers", { $0[33] = 0xF8 }),
    ("not an HdrHistogram V2", { $0[3] = 0x03 }),
    ("counts of another length than announced", { $0[7] = 2 }),
    ("a count that does not end", { $0[40] = 0x80 }),
    (
      "more counts than buckets",
      {
        $0[40] = 0xFF; $0 += [0xFF, 0x7F, 2]; $0[7] = 4
      }
    ),
  ]

  @Test(arguments: damaged.indices)
  func damagedTextsAreRejected(_ index: Int) {
    let (problem, change) = Self.damaged[index]
    #expect(throws: HistogramCodec.Failure(problem: problem)) {
      try HistogramCodec.decode(Self.encoded(change))
    }
  }

  @Test func whatIsNoTextOfOursIsRejected() throws {
    let text = Self.encoded { _ in }
    let rows = [
      ("", "not a compressed HdrHistogram V2"), ("HIST", "not a compressed HdrHistogram V2"),
      ("HISTFAAA?", "damaged base64"), ("HISTFAAAAAAA", "damaged zlib data"),
      (String(text.dropLast(8)) + "AAAAAAA=", "damaged zlib data"),
    ]
    for (text, problem) in rows {
      #expect(throws: HistogramCodec.Failure(problem: problem)) {
        try HistogramCodec.decode(text)
      }
    }
  }

  /// Strangers' bytes must end in an error, never in a trap or a flood.
  @Test func randomBytesNeverTrap() {
    var generator = SeededGenerator(seed: 7, stream: 3)
    for _ in 0..<2000 {
      let count = Int.random(in: 0...40, using: &generator)
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
      _ = try? HistogramCodec.unpack(bytes[...])
      _ = try? HistogramCodec.decode(
        Self.encoded { body in
          body.removeLast()
          body += bytes
          body[7] = UInt8(bytes.count)
        })
    }
  }
}

@Suite(.blocking) struct HeatBucketsTests {
  @Test func boundsAreThoseOfSchema3() {
    #expect(HeatBuckets.bounds.count == HeatBuckets.range.count)
    #expect(HeatBuckets.bounds.first == 0)
    // 1 s, 0.5 s, 2^(1/8) s, an hour.
    #expect(HeatBuckets.bounds[240] == 1_000_000_000)
    #expect(HeatBuckets.bounds[232] == 500_000_000)
    #expect(HeatBuckets.bounds[241] == 1_090_507_732)
    #expect(HeatBuckets.bounds[334] < LatencyHistogram.longest)
    #expect(HeatBuckets.bounds[335] >= LatencyHistogram.longest)
    for (one, next) in zip(HeatBuckets.bounds, HeatBuckets.bounds.dropFirst()) {
      #expect(one <= next)
    }
  }

  @Test func samplesAreCountedOnce() {
    var generator = SeededGenerator(seed: 5, stream: 1)
    for _ in 0..<50 {
      let histogram = HistogramCodecTests.random(&generator)
      let heat = HeatBuckets(histogram.buckets)
      #expect(heat.total == histogram.count)
      #expect(heat.cells.allSatisfy { HeatBuckets.range.contains($0.bucket) && $0.count > 0 })
      #expect(zip(heat.cells, heat.cells.dropFirst()).allSatisfy { $0.bucket < $1.bucket })
    }
  }

  @Test(arguments: [
    (Int64(0), -240), (1, -239), (1_000_000_000, 0), (1_000_001_000, 1), (500_000, -87),
    (3_600_000_000_000, 95),
  ])
  func oneSample(ns: Int64, bucket: Int) {
    var histogram = LatencyHistogram()
    histogram.record(ns)
    // The bucket of the histogram may reach above the sample by 0.1 %.
    let found = HeatBuckets(histogram.buckets).cells.first?.bucket ?? .max
    #expect(found == bucket || found == bucket + 1)
  }
}

@Suite(.blocking) struct IntervalSeriesTests {
  private static let second: Int64 = 1_000_000_000

  private static func series(_ seconds: Int, limit: Int) -> IntervalSeries {
    var series = IntervalSeries(limit: limit)
    for number in 0..<Int64(seconds) {
      var histogram = LatencyHistogram()
      for sample in 0..<20 { histogram.record((number + 1) * 1000 + Int64(sample)) }
      let (rtt, error) = histogram.summaryAndMedianError()
      series.append(
        .init(
          start: number * second, duration: second, sent: 21, received: 20, open: 5,
          waiting: Int(number), unanswered: 1, rtt: rtt, medianError: error, errors: 2,
          cpu: Double(number)), histogram.buckets)
    }
    return series
  }

  @Test(arguments: [1, 7, 8, 9, 16, 17, 24, 31, 32, 33, 100])
  func neighboursAreJoinedAndNothingIsLost(seconds: Int) {
    let series = Self.series(seconds, limit: 8)
    let intervals = series.intervals
    #expect(intervals.count <= 8)
    #expect(intervals.reduce(0) { $0 + $1.sent } == 21 * seconds)
    #expect(intervals.reduce(0) { $0 + $1.received } == 20 * seconds)
    #expect(intervals.reduce(0) { $0 + $1.unanswered } == seconds)
    #expect(intervals.reduce(0) { $0 + $1.errors } == 2 * seconds)
    #expect(intervals.reduce(0) { $0 + $1.duration } == Int64(seconds) * Self.second)
    #expect(intervals.last?.waiting == seconds - 1)
    for (index, interval) in intervals.enumerated() {
      #expect(series.heat(index).total == interval.received)
      #expect(interval.rtt.count == interval.received)
      // Exact, not only to three digits: the smallest and the largest of all joined seconds.
      #expect(interval.rtt.min == interval.start / Self.second * 1000 + 1000)
      let last = (interval.start + interval.duration) / Self.second
      #expect(interval.rtt.max == last * 1000 + 19)
    }
    for (one, next) in zip(intervals, intervals.dropFirst()) {
      #expect(one.start + one.duration == next.start)
    }
    // All are of the same length but the last one.
    #expect(Set(intervals.dropLast().map(\.duration)).count <= 1)
  }
}
