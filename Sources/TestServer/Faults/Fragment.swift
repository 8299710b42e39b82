import Conversation
import WebSocketProtocol

/// `fragment`: messages arrive in fragments (RFC 6455 section 5.4).
enum Fragment {
  static let entry = FaultEntry(
    name: "fragment", kind: .message,
    summary: "Sends each message in uncompressed fragments of at most this many bytes.",
    example: "16", canEnd: true
  ) { value throws(InvalidFaultValue) in
    guard let size = ByteSize.parse(value), size > 0, size <= Limits.largestMessageSize else {
      throw InvalidFaultValue(expected: "16 or 4KB")
    }
    return .message(action(size))
  }

  /// Fragments of at most `size` bytes, at least 1.
  static func action(
    _ size: Int
  ) -> @Sendable (inout OutgoingMessage, inout SeededGenerator) -> Void {
    { message, _ in message.fragmentSize = size }
  }
}
