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
  /// The description for help, in one sentence.
  package var summary: String
  /// An example of its value as typed; nil if it takes none.
  package var example: String?
  /// Whether the fault does without its value.
  package var isValueOptional = false
  /// Whether the fault lasts and `for=` can end it.
  package var canEnd: Bool
  /// The parameters that only this fault has.
  package var parameters: [String] = []
  /// Parses the value, which is empty if the fault takes none.
  var parse: @Sendable (_ value: String) throws(InvalidFaultValue) -> FaultAction

  /// Whether `after=` can delay it: a handshake fault acts before the time and messages that it
  /// counts.
  package var canStartLater: Bool { kind != .handshake }
}

/// What a fault does.
enum FaultAction: Sendable {
  /// Changes the answer to an upgrade request that was accepted.
  case handshake(@Sendable (HTTPAnswer) -> HTTPAnswer)
  /// Rejects an upgrade request that was accepted; without a reply, the connection just ends.
  case refuse(HTTPReplyText?)
  /// Changes a message to the client.
  case message(@Sendable (inout OutgoingMessage, inout SeededGenerator) -> Void)
  /// Closes the connection with any close code when the fault begins.
  case close(CloseFrame)
  /// Acts on the connection once, when the fault begins; the connection stays open.
  case lasting(@Sendable (FaultyTransport) -> Void)
  /// Changes the connection for as long as the fault lasts.
  case condition(FaultCondition)
  /// Ends the connection once, when the fault begins.
  case transport(@Sendable (FaultyTransport) -> Void)
}

/// A message on its way to the client.
struct OutgoingMessage: Hashable, Sendable {
  /// Nanoseconds by which sending is delayed.
  var delay: Int64 = 0
  var isDropped = false
  var isDoubled = false
  /// The maximum number of bytes in a fragment; nil to send the message in one frame.
  var fragmentSize: Int?
  /// A random number that selects one byte and its change; nil to change none.
  var corruption: UInt64?

  /// Sends the message, or its fragments, at last.
  static func send(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, fragmentSize: Int?,
    _ machine: inout ConnectionMachine
  ) throws(SendError) {
    if let fragmentSize {
      try machine.send(kind, payload, inFragmentsOf: fragmentSize)
    } else {
      try machine.send(kind, payload)
    }
  }

  /// - Returns: The payload with one byte changed.
  static func corrupted(_ payload: UnsafeRawBufferPointer, _ corruption: UInt64) -> [UInt8] {
    var bytes = Array(payload)
    guard !bytes.isEmpty else { return bytes }
    // Never XOR with 0, which would change nothing.
    bytes[Int(corruption >> 32) % bytes.count] ^= UInt8(corruption % 255) + 1
    return bytes
  }
}

/// An invalid value of a fault.
struct InvalidFaultValue: Error {
  /// Examples of valid values, such as `5% or 0.05`.
  var expected: String
}

/// An invalid fault, as typed.
package struct FaultError: Error, Hashable, Sendable {
  /// The name of the fault; nil if it is unknown or has nothing to do with the problem.
  package var fault: String?
  /// The problem, without the name of the fault.
  package var problem: String
}
