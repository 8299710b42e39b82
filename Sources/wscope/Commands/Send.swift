import ArgumentParser
import Conversation
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// `wscope send`.
struct Send: SessionCommand {
  static let configuration = CommandConfiguration(
    abstract: "Send messages, print the replies, exit with a meaningful code.",
    discussion: """
      Without a message the messages are the lines of standard input, if that is no terminal; \
      with neither, it checks the handshake.
      """)

  @Argument(
    help: ArgumentHelp("Where to connect: ws://, wss://, host:port or :port.", valueName: "url"))
  var url: String

  @Argument(help: ArgumentHelp("Messages to send, in order; - reads standard input too."))
  var messages: [String] = []

  @OptionGroup(title: "Expectations") var expectation: ExpectationOptions
  @OptionGroup(title: "Messages") var message: MessageOptions
  @OptionGroup(title: "Connection") var client: ClientOptions
  @OptionGroup(title: "Compression") var compression: CompressionOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func run(_ context: CommandContext) async throws -> ExitStatus {
    var client = try client.configuration(url: url)
    client.deflate = try compression.parameters(standard: .standardOffer)
    self.client.tellDangers(client, context)
    let count = try message.checkedCount()
    let texts = messages.filter { $0 != "-" }
    var outgoing = try message.executed()
    outgoing += texts.map { OutgoingMessage(message.kind, Array($0.utf8)) }
    let readsInput =
      messages.contains("-") || (outgoing.isEmpty && !context.console.standardInputIsTerminal)
    let input = try message.conversationInput()
    let expectations = try expectation.expectations(offered: client.subprotocols)
    let within = try expectation.deadline()
    guard count == nil || (expectation.until == nil && expectation.untilJson == nil) else {
      throw CommandFailure(.usage, "--count and --until exclude each other: both end it")
    }
    let format = try message.conversationFormat(
      toTerminal: context.console.standardOutputIsTerminal)
    if expectation.tapOutput {
      guard message.format == .text, !message.null, !message.raw else {
        throw CommandFailure(
          .usage, "--tap-output takes the place of the messages: no --format, --null or --raw")
      }
    }
    let session = ConversationSession(
      ConversationConfiguration(
        command: "send", client: client, messages: outgoing,
        input: readsInput ? input : .none,
        policy: WaitPolicy(
          wait: message.wait.nanoseconds, linger: message.linger.nanoseconds, count: count,
          within: within),
        expectations: expectations, acceptedCloses: try expectation.acceptedCloses(),
        report: ReportConfiguration(
          isTAP: expectation.tapOutput, junit: expectation.junit, within: within),
        format: format, interruption: .fails, showsPingPong: message.showPingPong,
        verbosity: output.verbose,
        showsSecrets: message.showSecrets),
      context)
    return try await session.run()
  }
}
