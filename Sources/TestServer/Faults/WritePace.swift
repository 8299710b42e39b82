/// How the bytes to a client are spread over time.
struct WritePace: Sendable, Hashable {
  struct Slice: Sendable, Hashable {
    /// The sizes of a piece in bytes.
    var sizes: ClosedRange<Int>
    /// Nanoseconds between two pieces.
    var gap: Int64
  }

  /// Bytes a second; nil for no limit.
  var rate: Int?
  /// nil to write what there is.
  var slice: Slice?

  var isLimited: Bool { rate != nil || slice != nil }

  /// Pieces a second that a rate is spread over.
  private static let piecesPerSecond = 50

  /// Chooses the size of the next piece.
  ///
  /// - Parameter random: Returns a random number of a range.
  /// - Returns: Its maximum size in bytes; nil for no limit.
  func piece(_ random: (ClosedRange<Int>) -> Int) -> Int? {
    let sliced = slice.map { random($0.sizes) }
    let limited = rate.map { max(1, $0 / Self.piecesPerSecond) }
    guard let sliced, let limited else { return sliced ?? limited }
    return min(sliced, limited)
  }

  /// Nanoseconds from a piece of this size in bytes to the next one.
  func pause(after size: Int) -> Int64 {
    let limited = rate.map { Int64(size) * 1_000_000_000 / Int64($0) } ?? 0
    return max(limited, slice?.gap ?? 0)
  }
}
