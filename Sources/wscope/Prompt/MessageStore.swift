import NIOCore

/// The messages that came last, whole, for `/save`: the last one always, and as many before it as have
/// room.
struct MessageStore {
  static let mostMessages = 1000
  static let mostBytes = 16 * 1024 * 1024

  private var messages: [ByteBuffer] = []
  private var bytes = 0
  /// The number of the last one.
  private(set) var last = 0

  /// Keeps a message.
  ///
  /// - Returns: its number; the first is 1.
  mutating func keep(_ payload: ByteBuffer) -> Int {
    last += 1
    messages.append(payload)
    bytes += payload.readableBytes
    if messages.count > 2 * Self.mostMessages || bytes > Self.mostBytes { forget() }
    return last
  }

  private mutating func forget() {
    var kept = messages.suffix(Self.mostMessages)
    var keptBytes = kept.reduce(0) { $0 + $1.readableBytes }
    while keptBytes > Self.mostBytes / 2, kept.count > 1, let first = kept.popFirst() {
      keptBytes -= first.readableBytes
    }
    messages = Array(kept)
    bytes = keptBytes
  }

  /// The message of a number; nil if it is not kept any more, or never came.
  subscript(number: Int) -> ByteBuffer? {
    let index = messages.count - 1 - (last - number)
    return messages.indices.contains(index) ? messages[index] : nil
  }

  /// The smallest number that is kept.
  var first: Int { last - messages.count + 1 }
}
