import WebSocketProtocol

/// Encodes histograms as text for other programs: HdrHistogram V2, compressed with zlib, in base64.
///
/// The layout is that of `AbstractHistogram.encodeIntoCompressedByteBuffer` in the Java library. A
/// count is a ZigZag LEB128 number of at most 9 bytes; a negative number stands for that many empty
/// buckets in a row.
package enum HistogramCodec {
  /// The reason why a text cannot be read as a histogram with these limits.
  package struct Failure: Error, Sendable, Equatable {
    /// The problem, such as `4 digits instead of 3`.
    package var problem: String
  }

  private static let compressedCookie: UInt32 = 0x1C84_9314
  private static let cookie: UInt32 = 0x1C84_9313
  private static let digits = 3
  private static let headerLength = 40
  /// A count takes 9 bytes at most.
  private static let longestBody = headerLength + 9 * HistogramBuckets.count

  /// Encodes the values of a histogram. Censored samples are not included.
  ///
  /// - Parameter histogram: The histogram to encode.
  /// - Returns: `HISTFAAA…`, 6 to 18 kB for a typical run; nil if compression runs out of memory.
  package static func encode(_ histogram: LatencyHistogram) -> String? {
    encode(histogram.buckets)
  }

  /// Encodes counts, as above.
  static func encode(_ buckets: HistogramBuckets) -> String? {
    let payload = pack(buckets)
    var body: [UInt8] = []
    body.reserveCapacity(headerLength + payload.count)
    append(cookie, to: &body)
    append(UInt32(payload.count), to: &body)
    append(UInt32(0), to: &body)
    append(UInt32(digits), to: &body)
    append(UInt64(1), to: &body)
    append(UInt64(LatencyHistogram.longest), to: &body)
    append((1.0).bitPattern, to: &body)
    body += payload
    guard let compressed = ZlibBody.compress(body) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(8 + compressed.count)
    append(compressedCookie, to: &bytes)
    append(UInt32(compressed.count), to: &bytes)
    bytes += compressed
    return bytes.withUnsafeBytes { Base64.encode($0) }
  }

  /// Decodes a histogram.
  ///
  /// - Parameter text: The output of `encode` or of another HdrHistogram library, for 1 ns to 1 h
  ///   with three significant digits.
  /// - Throws: `Failure`, if the text is damaged or has other limits.
  /// - Returns: The same counts. The smallest and the largest value have three digits only.
  package static func decode(_ text: String) throws(Failure) -> LatencyHistogram {
    LatencyHistogram(try buckets(text))
  }

  /// The counts of an encoded histogram; throws as `decode`.
  static func buckets(_ text: String) throws(Failure) -> HistogramBuckets {
    guard let bytes = Base64.decode(text) else { throw Failure(problem: "damaged base64") }
    guard number(bytes, at: 0, bytes: 4) == UInt64(compressedCookie) else {
      throw Failure(problem: "not a compressed HdrHistogram V2")
    }
    guard number(bytes, at: 4, bytes: 4) == UInt64(bytes.count - 8),
      let body = ZlibBody.decompress(Array(bytes.dropFirst(8)), limit: longestBody)
    else { throw Failure(problem: "damaged zlib data") }
    guard number(body, at: 0, bytes: 4) == UInt64(cookie), body.count >= headerLength else {
      throw Failure(problem: "not an HdrHistogram V2")
    }
    let expected: [(offset: Int, bytes: Int, wanted: UInt64, name: String)] = [
      (12, 4, UInt64(digits), "digits"), (16, 8, 1, "ns as the lowest value"),
      (24, 8, UInt64(LatencyHistogram.longest), "ns as the highest value"),
      (8, 4, 0, "as the offset of its counts"),
    ]
    for field in expected {
      let found = number(body, at: field.offset, bytes: field.bytes) ?? 0
      guard found == field.wanted else {
        throw Failure(problem: "\(found) \(field.name) instead of \(field.wanted)")
      }
    }
    guard number(body, at: 32, bytes: 8) == (1.0).bitPattern else {
      throw Failure(problem: "values that are not integers")
    }
    guard number(body, at: 4, bytes: 4) == UInt64(body.count - headerLength) else {
      throw Failure(problem: "counts of another length than announced")
    }
    return try unpack(body.dropFirst(headerLength))
  }

  // MARK: Counts

  /// Encodes the counts as in the body of an encoded histogram.
  static func pack(_ buckets: HistogramBuckets) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(2 * buckets.entries.count)
    var next = 0
    for entry in buckets.entries {
      let gap = entry.index &- next
      // One empty bucket is a count of 0; a run of one would be read as a count of -1.
      if gap > 0 { append(zigZag: gap == 1 ? 0 : 0 &- Int64(gap), to: &bytes) }
      append(zigZag: Int64(entry.count), to: &bytes)
      next = entry.index &+ 1
    }
    return bytes
  }

  /// Decodes the output of `pack`.
  static func unpack(_ bytes: ArraySlice<UInt8>) throws(Failure) -> HistogramBuckets {
    var buckets = HistogramBuckets()
    var rest = bytes
    var index = 0
    while !rest.isEmpty {
      guard let count = zigZag(&rest) else { throw Failure(problem: "a count that does not end") }
      if count < 0 {
        guard count >= -Int64(HistogramBuckets.count) else {
          throw Failure(problem: "more counts than buckets")
        }
        index &+= Int(-count)
        continue
      }
      guard index < HistogramBuckets.count else {
        throw Failure(problem: "more counts than buckets")
      }
      guard Int(count) <= Int.max - buckets.total else {
        throw Failure(problem: "counts beyond 2^63")
      }
      buckets.append(index: index, count: Int(count))
      index &+= 1
    }
    return buckets
  }

  private static func append(zigZag value: Int64, to bytes: inout [UInt8]) {
    var rest = UInt64(bitPattern: (value << 1) ^ (value >> 63))
    // The ninth byte carries eight bits.
    for _ in 0..<8 where rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  private static func zigZag(_ bytes: inout ArraySlice<UInt8>) -> Int64? {
    var value: UInt64 = 0
    for position in UInt64(0)..<9 {
      guard let byte = bytes.popFirst() else { return nil }
      let isLast = position == 8 || byte < 0x80
      value |= UInt64(isLast ? byte : byte & 0x7F) << (7 * position)
      if isLast { break }
    }
    return Int64(bitPattern: value >> 1) ^ (0 &- Int64(bitPattern: value & 1))
  }

  // MARK: Numbers, the most significant byte first

  private static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
  }

  private static func number(_ bytes: [UInt8], at offset: Int, bytes count: Int) -> UInt64? {
    guard offset + count <= bytes.count else { return nil }
    return bytes[offset..<offset + count].reduce(0) { $0 << 8 | UInt64($1) }
  }
}
