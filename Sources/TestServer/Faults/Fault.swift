import Conversation
import WebSocketNIO
import WebSocketProtocol

/// What a fault acts on.
package enum FaultKind: String, Sendable {
  /// The answer to the upgrade request.
  case handshake
  /// Messages to the client.
  case message
  /// The bytes of the connection.
  case transport
}

/// One row of the registry of faults.
package struct FaultEntry: Sendable {
  package var name: String
  package var kind: FaultKind
  /// A sentence.
  package var summary: String
  /// An example of its value, as it is typed; nil if it takes none.
  package var example: String?
  /// Whether it lasts, so that `for=` can end it.
  package var canEnd: Bool
  /// Reads the value; an empty text if it takes none.
  var parse: @Sendable (_ value: String) throws(InvalidFaultValue) -> FaultAction

  /// Whether `after=` can delay it: the handshake is before everything that is counted.
  package var canStartLater: Bool { kind != .handshake }
}

/// What a fault does.
enum FaultAction: Sendable {
  /// Changes the answer to an upgrade request that was accepted.
  case handshake(@Sendable (HTTPAnswer) -> HTTPAnswer)
  /// Rejects an upgrade request that was accepted.
  case refuse(HTTPReplyText)
  /// Changes a message to the client.
  case message(@Sendable (inout OutgoingMessage, inout SeededGenerator) -> Void)
  /// Closes the connection when the fault begins, with any code.
  case close(CloseFrame)
  /// Is done to the connection once, when the fault begins; the connection goes on.
  case lasting(@Sendable (FaultyTransport) -> Void)
  /// Ends the connection once, when the fault begins.
  case transport(@Sendable (FaultyTransport) -> Void)
}

/// A message on its way to the client.
struct OutgoingMessage: Hashable, Sendable {
  /// Nanoseconds between its sending and its leaving.
  var delay: Int64 = 0
  var isDropped = false
  var isDoubled = false
  /// What byte is changed, and how; nil changes none.
  var corruption: UInt64?

  /// - Returns: The payload with one byte changed.
  static func corrupted(_ payload: UnsafeRawBufferPointer, _ corruption: UInt64) -> [UInt8] {
    var bytes = Array(payload)
    guard !bytes.isEmpty else { return bytes }
    // Never by 0, which would change nothing.
    bytes[Int(corruption >> 32) % bytes.count] ^= UInt8(corruption % 255) + 1
    return bytes
  }
}

/// The value of a fault cannot be read.
struct InvalidFaultValue: Error {
  /// Forms that can, as in `5% or 0.05`.
  var expected: String
}

/// What is wrong with a fault as it was typed.
package struct FaultError: Error, Hashable, Sendable {
  /// nil if the kind itself is unknown, or if it is not the kind's business.
  package var fault: String?
  /// Without the name of the fault.
  package var problem: String
}
