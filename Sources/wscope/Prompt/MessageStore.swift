import NIOCore

/// The last messages, complete, for `/save`: always the last one, and as many before it as fit.
struct MessageStore {
  static let maxMessages = 1000
  static let maxBytes = 16 * 1024 * 1024

  private var messages: [ByteBuffer] = []
  private var bytes = 0
  /// The number of the last message.
  private(set) var last = 0

  /// Stores a message.
  ///
  /// - Returns: its number; the first is 1.
  mutating func keep(_ payload: ByteBuffer) -> Int {
    last += 1
    messages.append(payload)
    bytes += payload.readableBytes
    if messages.count > 2 * Self.maxMessages || bytes > Self.maxBytes { forget() }
    return last
  }

  private mutating func forget() {
    var kept = messages.suffix(Self.maxMessages)
    var keptBytes = kept.reduce(0) { $0 + $1.readableBytes }
    while keptBytes > Self.maxBytes / 2, kept.count > 1, let first = kept.popFirst() {
      keptBytes -= first.readableBytes
    }
    messages = Array(kept)
    bytes = keptBytes
  }

  /// The message with a number; nil if it is no longer kept, or never existed.
  subscript(number: Int) -> ByteBuffer? {
    let index = messages.count - 1 - (last - number)
    return messages.indices.contains(index) ? messages[index] : nil
  }

  /// The smallest number that is kept.
  var first: Int { last - messages.count + 1 }
}
