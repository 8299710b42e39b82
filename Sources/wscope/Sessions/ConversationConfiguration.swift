import Conversation
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// What a conversation without a prompt is about.
struct ConversationConfiguration: Sendable {
  /// Where messages come from, once those of the command line are sent.
  enum Input: Sendable {
    case none
    case messages(MessageSplitter.Boundary, MessageKind)
    case jsonLines
  }

  /// What Ctrl-C means: a one-shot command was interrupted; a session was ended.
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
  /// Close codes of the peer that are no failure, besides the ordinary ones.
  var acceptedCloses: CloseCodes?
  var interruption: Interruption
  var reaction = Connection.Reaction.none
  var reconnect: ReconnectPolicy?
  /// For how long, in ns, the server may be missing at first.
  var waitUp: Int64?
}
