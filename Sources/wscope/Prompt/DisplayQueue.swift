import Conversation
import NIOCore

/// What waits to be shown, and what is not to be shown. Pure: it is told what comes, and asked what to
/// draw now.
///
/// What comes faster than it can be drawn is skipped and counted, the oldest first: the screen shows
/// what is new, and memory stays flat.
struct DisplayQueue {
  enum Item {
    case message(ShownMessage)
    /// A line of ours, never skipped.
    case line(String)
    /// So many messages were skipped here.
    case skipped(Int)
  }

  /// What may wait for its turn: beyond that the oldest messages are skipped.
  static let mostMessages = 1000
  static let mostBytes = 8 * 1024 * 1024
  /// What `/pause` holds.
  static let mostHeld = 10_000

  /// What was held, and is drawn before all else. It was asked for, and is not skipped for its number.
  private var resumed: ArraySlice<Item> = []
  private var items: [Item] = []
  private var messages = 0
  private var bytes = 0

  private var held: [ShownMessage] = []
  private var heldBytes = 0
  private(set) var isPaused = false
  /// Messages that came since `/pause`, those that are not held any more too.
  private(set) var heldCount = 0

  private(set) var filter: MessageFilter?
  /// Messages that the filter has hidden since it was set.
  private(set) var hiddenCount = 0
  /// The size of a message that took the filter too many steps, which has turned the filter off.
  private(set) var filterFailure: Int?

  var isEmpty: Bool { items.isEmpty && resumed.isEmpty }

  // MARK: What comes

  mutating func add(line: String) { items.append(.line(line)) }

  mutating func add(_ message: ShownMessage) {
    if let filter, message.isIncoming {
      switch filter.matches(message.payload) {
      case true?: break
      case false?:
        hiddenCount += 1
        return
      case nil:
        set(nil)
        filterFailure = message.payload.readableBytes
      }
    }
    // What the person does is shown in any case.
    guard isPaused, message.isIncoming else { return append(message) }
    heldCount += 1
    heldBytes += message.payload.readableBytes
    held.append(message)
    // In large steps: to drop from the front costs as much as there is behind it.
    if held.count > 2 * Self.mostHeld || heldBytes > Self.mostBytes { dropHeld() }
  }

  private mutating func dropHeld() {
    var kept = held.suffix(Self.mostHeld)
    var keptBytes = kept.reduce(0) { $0 + $1.payload.readableBytes }
    while keptBytes > Self.mostBytes / 2, kept.count > 1, let first = kept.popFirst() {
      keptBytes -= first.payload.readableBytes
    }
    held = Array(kept)
    heldBytes = keptBytes
  }

  private mutating func append(_ message: ShownMessage) {
    items.append(.message(message))
    messages += 1
    bytes += message.payload.readableBytes
    if messages > 2 * Self.mostMessages || bytes > Self.mostBytes { skip() }
  }

  /// Takes the oldest messages out, down to half of what may wait.
  private mutating func skip() {
    var kept: [Item] = []
    var skipped = 0
    for item in items {
      switch item {
      case .message(let message)
      where messages > Self.mostMessages || bytes > Self.mostBytes / 2 && messages > 1:
        messages -= 1
        bytes -= message.payload.readableBytes
        skipped += 1
      case .skipped(let earlier):
        skipped += earlier
      case .message, .line:
        if skipped > 0 { kept.append(.skipped(skipped)) }
        skipped = 0
        kept.append(item)
      }
    }
    if skipped > 0 { kept.append(.skipped(skipped)) }
    items = kept
  }

  // MARK: What the person wants

  mutating func pause() { isPaused = true }

  /// Ends the pause; what was held is to be drawn.
  mutating func resume() {
    isPaused = false
    let lost = heldCount - held.count
    if lost > 0 { resumed.append(.skipped(lost)) }
    resumed += held.map { .message($0) }
    held = []
    heldBytes = 0
    heldCount = 0
  }

  /// Takes note of the filter's failure, once.
  mutating func takeFilterFailure() -> Int? {
    defer { filterFailure = nil }
    return filterFailure
  }

  mutating func set(_ filter: MessageFilter?) {
    self.filter = filter
    hiddenCount = 0
  }

  // MARK: What is drawn

  /// Takes what one draw shows: at most so many messages, and so many bytes but for the last.
  mutating func take(messages most: Int, bytes mostBytes: Int) -> [Item] {
    if !resumed.isEmpty {
      let front = Self.front(of: resumed, most, mostBytes)
      resumed = resumed.dropFirst(front.items.count)
      return Array(front.items)
    }
    let front = Self.front(of: items[...], most, mostBytes)
    messages -= front.messages
    bytes -= front.bytes
    items.removeFirst(front.items.count)
    return Array(front.items)
  }

  private static func front(
    of items: ArraySlice<Item>, _ most: Int, _ mostBytes: Int
  ) -> (items: ArraySlice<Item>, messages: Int, bytes: Int) {
    var messages = 0
    var bytes = 0
    var end = items.startIndex
    for item in items {
      guard messages < most, bytes < mostBytes else { break }
      end += 1
      if case .message(let message) = item {
        messages += 1
        bytes += message.payload.readableBytes
      }
    }
    return (items[..<end], messages, bytes)
  }
}

/// What `/filter` lets through.
struct MessageFilter {
  private let pattern: Pattern
  /// The text itself, if it is nothing but letters: then no search of the pattern is needed.
  private let plain: [UInt8]?

  /// - Throws: what is wrong with the pattern.
  init(_ text: String) throws(CommandMistake) {
    do throws(Pattern.Failure) {
      pattern = try Pattern(text)
    } catch {
      throw CommandMistake("/filter: not a regular expression: \(error)")
    }
    let isPlain = text.allSatisfy { $0.isASCII && !"\\^$.|?*+()[]{}".contains($0) }
    plain = isPlain ? Array(text.utf8) : nil
  }

  /// - Returns: nil if the pattern takes too many steps on this message.
  func matches(_ payload: ByteBuffer) -> Bool? {
    if let plain {
      return payload.withUnsafeReadableBytes { $0.firstRange(of: plain) != nil }
    }
    // Text beyond what is shown decides nothing.
    let text = String(decoding: payload.readableBytesView.prefix(64 * 1024), as: UTF8.self)
    switch pattern.find(in: text) {
    case .found: return true
    case .notFound: return false
    case .tooManySteps: return nil
    }
  }
}
