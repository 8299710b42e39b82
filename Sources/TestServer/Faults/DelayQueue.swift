import NIOCore
import WebSocketProtocol

/// Messages that wait until they are due, in the order in which they were added.
struct DelayQueue {
  struct Message {
    var kind: MessageKind
    var payload: ByteBuffer
    var fragmentSize: Int?
    var due: NIODeadline
    var note = MessageNote.none
  }

  private var messages = CircularBuffer<Message>()
  /// Bytes of all payloads.
  private(set) var bytes = 0

  var isEmpty: Bool { messages.isEmpty }
  var nextDue: NIODeadline? { messages.first?.due }

  /// Adds a message, which is due no earlier than the one before it.
  mutating func add(_ message: Message) {
    bytes += message.payload.readableBytes
    var last = message
    last.due = max(message.due, messages.last?.due ?? message.due)
    messages.append(last)
  }

  /// Removes and returns the first message if it is due.
  mutating func takeDue(at now: NIODeadline) -> Message? {
    guard let first = messages.first, first.due <= now else { return nil }
    bytes -= first.payload.readableBytes
    return messages.removeFirst()
  }

  mutating func removeAll() {
    messages.removeAll()
    bytes = 0
  }
}
