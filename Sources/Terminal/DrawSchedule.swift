/// Decides when pending lines are drawn, and how many at a time.
///
/// The first ones appear at once. While more keep coming, they are drawn sixty times a second, as
/// fast as the eye can follow, which leaves the terminal time for keys.
struct DrawSchedule {
  /// Draws are not much longer than this many bytes, so that keys are handled between two draws on
  /// a slow terminal.
  static let pieceSize = 64 * 1024
  private static let interval = Duration.milliseconds(16)

  /// Whether the mailbox holds text.
  var isAwaited = false
  private var rest: ArraySlice<UInt8> = []
  private var earliest = ContinuousClock.now

  /// The time until the next draw, in the format of `poll`; nil if there is nothing to draw.
  var milliseconds: Int32? {
    if !rest.isEmpty { return 0 }
    guard isAwaited else { return nil }
    let wait = ContinuousClock.now.duration(to: earliest)
    return wait <= .zero ? 0 : Int32(wait / .milliseconds(1)) + 1
  }

  /// The lines to draw now; nil if there are none or it is too early.
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
