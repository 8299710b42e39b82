/// How connections ended: by close code and by the side that closed first.
package struct CloseTally: Sendable, Equatable {
  /// The side that closed first, or that ended the connection without a closing handshake.
  package enum Side: String, Sendable {
    /// This side, the load generator.
    case ours
    case peer
  }

  /// The number of connections with one close code and one side.
  package struct Entry: Hashable, Sendable {
    /// The close code, 1000 to 4999; 1005 for a close frame without a code, 1006 without a close
    /// frame (RFC 6455 section 7.4.1).
    package var code: Int
    /// The side that closed first, or that ended the connection without a closing handshake.
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
  ///   - count: The number of connections; values below 1 are ignored.
  package mutating func record(code: Int, by: Side, count: Int = 1) {
    guard count > 0 else { return }
    endings[Ending(code: code, by: by), default: 0] &+= count
  }

  /// Adds the counts of another tally.
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
