/// A set of sequence numbers that are added in ascending order and removed in any order.
///
/// Consecutive numbers share one range, so a server that never answers takes only a few bytes of
/// memory, no matter how many messages it leaves unanswered.
struct SequenceSet: Sendable {
  private var ranges: [Range<UInt64>] = []

  /// Maximum number of ranges; the oldest are dropped first.
  static let maxRanges = 4096

  /// Adds a number, which must be above all numbers added before.
  mutating func append(_ number: UInt64) {
    if let last = ranges.last, last.upperBound == number {
      ranges[ranges.count - 1] = last.lowerBound..<number &+ 1
      return
    }
    if ranges.count == Self.maxRanges { ranges.removeFirst(Self.maxRanges / 2) }
    ranges.append(number..<number &+ 1)
  }

  /// Removes a number.
  ///
  /// - Returns: Whether it was in the set.
  mutating func remove(_ number: UInt64) -> Bool {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound <= number { low = middle + 1 } else { high = middle }
    }
    guard low < ranges.count, ranges[low].contains(number) else { return false }
    let range = ranges[low]
    let parts = [range.lowerBound..<number, number &+ 1..<range.upperBound]
    ranges.replaceSubrange(low...low, with: parts.filter { !$0.isEmpty })
    return true
  }
}
