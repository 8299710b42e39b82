/// How connections ended: by close code and by the side that closed first.
package struct CloseTally: Sendable, Equatable {
  /// The side that ended the connection.
  package enum Side: String, Sendable {
    case ours
    case peer
  }

  /// Connections that ended in one way.
  package struct Entry: Hashable, Sendable {
    /// The close code, 1000 to 4999; 1005 for a close frame without one, 1006 for none at all.
    package var code: Int
    package var by: Side
    package var count: Int
  }

  private struct Ending: Hashable {
    var code: Int
    var by: Side
  }

  private var endings: [Ending: Int] = [:]

  package init() {}

  /// A tally of entries that were read back.
  ///
  /// - Parameter entries: In any order; those of one kind are added.
  init(_ entries: [Entry]) {
    for entry in entries { record(code: entry.code, by: entry.by, count: entry.count) }
  }

  /// Counts connections that ended.
  ///
  /// - Parameters:
  ///   - code: The close code.
  ///   - by: The side that closed first.
  ///   - count: How many; nothing happens below 1.
  package mutating func record(code: Int, by: Side, count: Int = 1) {
    guard count > 0 else { return }
    endings[Ending(code: code, by: by), default: 0] &+= count
  }

  /// Adds another tally.
  ///
  /// - Parameter other: Left unchanged.
  package mutating func merge(_ other: CloseTally) {
    for (ending, count) in other.endings { endings[ending, default: 0] &+= count }
  }

  /// All endings, the most frequent first; ties by code, ours before the peer's.
  package var entries: [Entry] {
    endings.map { Entry(code: $0.key.code, by: $0.key.by, count: $0.value) }.sorted {
      if $0.count != $1.count { return $0.count > $1.count }
      return $0.code != $1.code ? $0.code < $1.code : $0.by.rawValue < $1.by.rawValue
    }
  }
}
