import Conversation

/// What a fault changes while it lasts. Both are called on the event loop of the connection, never while its
/// machine is borrowed.
struct FaultCondition: Sendable {
  /// With the rule, which has the parameters.
  var begin: @Sendable (FaultyBehaviour, FaultRule) -> Void
  var end: @Sendable (FaultyBehaviour) -> Void
}

/// `no-pong`: pings are not answered.
enum NoPong {
  static let entry = FaultEntry(
    name: "no-pong", kind: .message, summary: "Does not answer pings.", example: nil, canEnd: true
  ) { _ throws(InvalidFaultValue) in
    .condition(
      FaultCondition(
        begin: { faulty, _ in faulty.setAnsweringPings(false) }, end: { $0.setAnsweringPings(true) }
      ))
  }
}

/// `slow-close`: the Close frame of the client is answered late.
enum SlowClose {
  static let entry = FaultEntry(
    name: "slow-close", kind: .message, summary: "Answers the client's Close this much later.",
    example: "2s", canEnd: false
  ) { value throws(InvalidFaultValue) in
    guard let delay = Duration.nanoseconds(value) else {
      throw InvalidFaultValue(expected: "200ms, 1s or 2m")
    }
    return .condition(
      FaultCondition(begin: { faulty, _ in faulty.closeDelay = delay }, end: { _ in }))
  }
}

/// `throttle`: the rate of the bytes to the client is limited.
enum Throttle {
  static let entry = FaultEntry(
    name: "throttle", kind: .transport,
    summary: "Limits the bytes sent to the client to this many a second.", example: "1KB/s",
    canEnd: true
  ) { value throws(InvalidFaultValue) in
    guard let rate = ByteSize.parse(perSecond: value) else {
      throw InvalidFaultValue(expected: "1KB/s or 2M/s")
    }
    return .condition(
      FaultCondition(
        begin: { faulty, _ in faulty.setPace { $0.rate = rate } },
        end: { $0.setPace { $0.rate = nil } }))
  }
}

/// `slice`: the bytes are written in small pieces.
enum Slice {
  static let entry = FaultEntry(
    name: "slice", kind: .transport,
    summary:
      "Writes pieces of this many bytes, gap= apart (1ms by default); 16~8 is 8 to 24 bytes.",
    example: "16~8", canEnd: true, parameters: ["gap"]
  ) { value throws(InvalidFaultValue) in
    let parts = Spread.parts(value)
    guard let size = ByteSize.parse(parts.middle), (1...maxSize).contains(size),
      let variation = parts.variation.map({ ByteSize.parse($0) }) ?? 0, variation < size
    else { throw InvalidFaultValue(expected: "16, 16~8 or 1KB") }
    let sizes = size - variation...size + variation
    return .condition(
      FaultCondition(
        begin: { faulty, rule in
          faulty.setPace {
            $0.slice = WritePace.Slice(sizes: sizes, gap: rule.gap ?? standardGap)
          }
        },
        end: { $0.setPace { $0.slice = nil } }))
  }

  private static let maxSize = 1 << 20
  /// In nanoseconds.
  private static let standardGap: Int64 = 1_000_000
}

/// `stall`: a peer that has stopped without a word.
enum Stall {
  static let entry = FaultEntry(
    name: "stall", kind: .transport,
    summary: "Sends nothing more and discards what arrives, but keeps the connection open.",
    example: nil, canEnd: true
  ) { _ throws(InvalidFaultValue) in
    .condition(
      FaultCondition(
        begin: { $0.setStalled(true, ends: $1.duration != nil) },
        end: { $0.setStalled(false, ends: true) }))
  }
}

/// `no-read`: the client's output fills up.
enum NoRead {
  static let entry = FaultEntry(
    name: "no-read", kind: .transport, summary: "Stops reading from the connection.",
    example: nil, canEnd: true
  ) { _ throws(InvalidFaultValue) in
    .condition(
      FaultCondition(begin: { faulty, _ in faulty.setReading(false) }, end: { $0.setReading(true) })
    )
  }
}

/// A value with a spread, such as `200ms~50ms`.
enum Spread {
  /// - Returns: The text before `~`, `±` or `+-`, and the text after it; nil without one.
  static func parts(_ text: String) -> (middle: String, variation: String?) {
    let parts = text.replacing("+-", with: "~").replacing("±", with: "~")
      .split(separator: "~", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    return (parts[0], parts.count > 1 ? parts[1] : nil)
  }
}
