import Conversation
import NIOCore

/// The messages and lines that wait to be shown. It has no side effects: it is given what arrives,
/// and asked what to draw now.
///
/// Messages that arrive faster than they can be drawn are skipped and counted, the oldest first:
/// the screen shows the newest, and memory use is bounded.
struct DisplayQueue {
  enum Item {
    case message(ShownMessage)
    /// A line of our own, never skipped.
    case line(String)
    /// The number of messages skipped at this point.
    case skipped(Int)
  }

  /// The maximum number of messages and of bytes that wait: beyond it, the oldest messages are
  /// skipped.
  static let maxMessages = 1000
  static let maxBytes = 8 * 1024 * 1024
  /// The maximum number of messages that `/pause` holds.
  static let maxHeld = 10_000

  /// The messages held during a pause, which are drawn first. The user asked for them, so none is
  /// skipped.
  private var resumed: ArraySlice<Item> = []
  private var items: [Item] = []
  private var messages = 0
  private var bytes = 0

  private var held: [ShownMessage] = []
  private var heldBytes = 0
  private(set) var isPaused = false
  /// The number of messages since `/pause`, including those that are no longer held.
  private(set) var heldCount = 0

  private(set) var filter: MessageFilter?
  /// The number of messages hidden by the filter since it was set.
  private(set) var hiddenCount = 0
  /// The size in bytes of a message on which the filter took too many steps, which turned the
  /// filter off.
  private(set) var filterFailure: Int?

  var isEmpty: Bool { items.isEmpty && resumed.isEmpty }

  // MARK: Input

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
    // The user's own messages are always shown.
    guard isPaused, message.isIncoming else { return append(message) }
    heldCount += 1
    heldBytes += message.payload.readableBytes
    held.append(message)
    // In large steps: dropping from the front costs as much as the number of elements that remain.
    if held.count > 2 * Self.maxHeld || heldBytes > Self.maxBytes { dropHeld() }
  }

  private mutating func dropHeld() {
    var kept = held.suffix(Self.maxHeld)
    var keptBytes = kept.reduce(0) { $0 + $1.payload.readableBytes }
    while keptBytes > Self.maxBytes / 2, kept.count > 1, let first = kept.popFirst() {
      keptBytes -= first.payload.readableBytes
    }
    held = Array(kept)
    heldBytes = keptBytes
  }

  private mutating func append(_ message: ShownMessage) {
    items.append(.message(message))
    messages += 1
    bytes += message.payload.readableBytes
    if messages > 2 * Self.maxMessages || bytes > Self.maxBytes { skip() }
  }

  /// Skips the oldest messages, until half of the maximum is left.
  private mutating func skip() {
    var kept: [Item] = []
    var skipped = 0
    for item in items {
      switch item {
      case .message(let message)
      where messages > Self.maxMessages || bytes > Self.maxBytes / 2 && messages > 1:
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

  // MARK: Pause and filter

  mutating func pause() { isPaused = true }

  /// Ends the pause; the held messages are drawn next.
  mutating func resume() {
    isPaused = false
    let lost = heldCount - held.count
    if lost > 0 { resumed.append(.skipped(lost)) }
    resumed += held.map { .message($0) }
    held = []
    heldBytes = 0
    heldCount = 0
  }

  /// Returns the filter's failure once.
  mutating func takeFilterFailure() -> Int? {
    defer { filterFailure = nil }
    return filterFailure
  }

  mutating func set(_ filter: MessageFilter?) {
    self.filter = filter
    hiddenCount = 0
  }

  // MARK: Drawing

  /// Takes the items for one draw: at most this many messages, and at most this many bytes, which
  /// only the last item may exceed.
  mutating func take(messages maxMessages: Int, bytes maxBytes: Int) -> [Item] {
    if !resumed.isEmpty {
      let front = Self.front(of: resumed, maxMessages, maxBytes)
      resumed = resumed.dropFirst(front.items.count)
      return Array(front.items)
    }
    let front = Self.front(of: items[...], maxMessages, maxBytes)
    messages -= front.messages
    bytes -= front.bytes
    items.removeFirst(front.items.count)
    return Array(front.items)
  }

  private static func front(
    of items: ArraySlice<Item>, _ maxMessages: Int, _ maxBytes: Int
  ) -> (items: ArraySlice<Item>, messages: Int, bytes: Int) {
    var messages = 0
    var bytes = 0
    var end = items.startIndex
    for item in items {
      guard messages < maxMessages, bytes < maxBytes else { break }
      end += 1
      if case .message(let message) = item {
        messages += 1
        bytes += message.payload.readableBytes
      }
    }
    return (items[..<end], messages, bytes)
  }
}
