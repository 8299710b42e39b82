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

  enum Format: Sendable, Hashable {
    case payload(PayloadFormat)
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
  var report = ReportConfiguration()
  var format: Format
  var interruption: Interruption
  var reaction = Connection.Reaction.none
  var showsPingPong = false
  var verbosity = 0
  var showsSecrets = false
  var reconnect: ReconnectPolicy?
  var recording: RecordingConfiguration?

  var isVerbose: Bool { verbosity > 0 }
}
