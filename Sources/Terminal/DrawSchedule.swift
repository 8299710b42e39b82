/// When waiting lines are drawn, and how many at a time.
///
/// The first ones appear at once; while more keep coming, sixty draws a second are what an eye can
/// follow and leave the terminal time for keys.
struct DrawSchedule {
  /// No draw is much longer than this many bytes, so that on a slow terminal keys still get their
  /// turn between two.
  static let pieceSize = 64 * 1024
  private static let interval = Duration.milliseconds(16)

  /// Whether the mailbox holds text.
  var isAwaited = false
  private var rest: ArraySlice<UInt8> = []
  private var earliest = ContinuousClock.now

  /// How long the next draw is off, as `poll` wants it; nil if there is nothing to draw.
  var milliseconds: Int32? {
    if !rest.isEmpty { return 0 }
    guard isAwaited else { return nil }
    let wait = ContinuousClock.now.duration(to: earliest)
    return wait <= .zero ? 0 : Int32(wait / .milliseconds(1)) + 1
  }

  /// The lines to draw now, if there are any and it is time.
  mutating func next(from mailbox: EditorMailbox, evenIfEarly: Bool = false) -> ArraySlice<UInt8>? {
    if rest.isEmpty && (evenIfEarly || isAwaited && ContinuousClock.now >= earliest) {
      rest = mailbox.takeText()[...]
      isAwaited = false
      earliest = .now + Self.interval
    }
    guard !rest.isEmpty else { return nil }
    let soft = rest.index(rest.startIndex, offsetBy: Self.pieceSize, limitedBy: rest.endIndex)
    guard let soft, let newline = rest[soft...].firstIndex(of: 0x0A) else {
      defer { rest = [] }
      return rest
    }
    defer { rest = rest[(newline + 1)...] }
    return rest[...newline]
  }
}
