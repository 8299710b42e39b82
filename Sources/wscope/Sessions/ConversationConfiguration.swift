import Conversation
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// The configuration of a conversation without a prompt.
struct ConversationConfiguration: Sendable {
  /// The source of messages after those of the command line.
  enum Input: Sendable {
    case none
    case messages(MessageSplitter.Boundary, MessageKind)
    case jsonLines
  }

  /// The effect of Ctrl-C: it interrupts a one-shot command, but ends a session normally.
  enum Interruption: Sendable {
    case ends
    case fails
  }

  var command: String
  var client: ClientConfiguration
  var messages: [OutgoingMessage]
  var input: Input
  var policy: WaitPolicy
  var expectations: [Expectation]
  /// Close codes from the peer that are not a failure, in addition to the ordinary ones.
  var acceptedCloses: CloseCodes?
  var interruption: Interruption
  var reaction = Connection.Reaction.none
  var reconnect: ReconnectPolicy?
  /// How long to wait for the server to become available, in nanoseconds.
  var waitUp: Int64?
}
