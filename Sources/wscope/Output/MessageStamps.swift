import Conversation
import NIOCore

/// When something came, in front of it: `--timestamps`.
struct MessageStamps: Sendable {
  enum Kind: String, CaseIterable, Sendable {
    /// When, in UTC.
    case iso
    /// Seconds since the session began.
    case rel
    /// Seconds since the one before.
    case delta
  }

  var kind: Kind
  private let start: NIODeadline
  private let startOfClock: Int64
  private var previous: NIODeadline

  /// - Parameters:
  ///   - kind: what they tell.
  ///   - start: when the session began, on the monotonic clock.
  ///   - startOfClock: the same on the wall clock, in ns since 1970.
  init(_ kind: Kind, start: NIODeadline, startOfClock: Int64) {
    self.kind = kind
    self.start = start
    self.startOfClock = startOfClock
    previous = start
  }

  /// The text for the next thing that came.
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
