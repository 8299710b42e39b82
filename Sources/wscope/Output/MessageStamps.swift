import Conversation
import NIOCore

/// The timestamps in front of messages: `--timestamps`.
struct MessageStamps: Sendable {
  enum Kind: String, CaseIterable, Sendable {
    /// The time, in UTC.
    case iso
    /// Seconds since the start of the session.
    case rel
    /// Seconds since the previous message.
    case delta
  }

  var kind: Kind
  private let start: NIODeadline
  private let startOfClock: Int64
  private var previous: NIODeadline

  /// - Parameters:
  ///   - kind: the kind of timestamp.
  ///   - start: the start of the session on the monotonic clock.
  ///   - startOfClock: the same on the wall clock, in ns since 1970.
  init(_ kind: Kind, start: NIODeadline, startOfClock: Int64) {
    self.kind = kind
    self.start = start
    self.startOfClock = startOfClock
    previous = start
  }

  /// The timestamp of the next message.
  mutating func text(_ time: NIODeadline) -> String {
    defer { previous = time }
    switch kind {
    case .iso: return UTCTime(startOfClock + (time - start).nanoseconds).text
    case .rel: return Figures.right(Self.seconds(time - start), 8)
    case .delta: return Figures.right("+" + Self.seconds(time - previous), 8)
    }
  }

  private static func seconds(_ amount: TimeAmount) -> String {
    Figures.decimal(Double(max(amount.nanoseconds, 0)) / 1e9, decimals: 3)
  }
}
