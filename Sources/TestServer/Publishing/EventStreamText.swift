import NIOCore
import WebSocketProtocol

/// Messages in the text format of server-sent events (HTML Standard, section 9.2).
enum EventStreamText {
  /// A message as an event.
  ///
  /// - Parameters:
  ///   - kind: A text has one `data` field for each of its lines; a binary message is an event `binary`
  ///     with its base64.
  ///   - payload: The message.
  ///   - number: What the client sends as Last-Event-ID when it connects again; nil leaves that as it
  ///     is.
  ///   - isCompact: Whether to leave out the spaces that are optional.
  /// - Returns: The event with the empty line that ends it.
  static func event(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, number: UInt64?,
    isCompact: Bool = false
  ) -> ByteBuffer {
    var text = ByteBuffer()
    text.reserveCapacity(payload.count + 32)
    if let number { text.writeString("id:\(isCompact ? "" : " ")\(number)\n") }
    switch kind {
    case .text: writeLines(payload, after: isCompact ? "data:" : "data: ", to: &text)
    case .binary:
      text.writeString("event: binary\ndata: \(Base64.encode(payload))\n")
    }
    text.writeString("\n")
    return text
  }

  /// A line ends with CR LF, LF or CR; what a message contains of these comes out as LF.
  private static func writeLines(
    _ payload: UnsafeRawBufferPointer, after field: StaticString, to text: inout ByteBuffer
  ) {
    var start = 0
    var index = 0
    while index <= payload.count {
      guard index == payload.count || payload[index] == 0x0A || payload[index] == 0x0D else {
        index += 1
        continue
      }
      text.writeStaticString(field)
      text.writeBytes(UnsafeRawBufferPointer(rebasing: payload[start..<index]))
      text.writeStaticString("\n")
      let isPair =
        index + 1 < payload.count && payload[index] == 0x0D && payload[index + 1] == 0x0A
      index += isPair ? 2 : 1
      start = index
    }
  }

}
