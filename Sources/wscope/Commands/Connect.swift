import ArgumentParser
import Conversation
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// `wscope connect`.
struct Connect: SessionCommand {
  static let configuration = CommandConfiguration(
    abstract: "Talk to an endpoint: a prompt on a terminal, a filter in a pipe.",
    discussion: """
      On a terminal: a line is a message, messages that arrive appear above the prompt, /help lists \
      the commands. Without one: each line of standard input is a message, messages go to standard \
      output, and at the end of the input it waits as send does.
      """)

  @Argument(
    help: ArgumentHelp("Where to connect: ws://, wss://, host:port or :port.", valueName: "url"))
  var url: String

  @OptionGroup(title: "Messages") var message: MessageOptions

  @Flag(help: "A line that begins with / is a message like any other.")
  var noSlash = false

  @Flag(help: "Send every message back at once, as an echo server does.")
  var echo = false

  @OptionGroup(title: "Connection") var client: ClientOptions
  @OptionGroup(title: "Compression") var compression: CompressionOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func run(_ context: CommandContext) async throws -> ExitStatus {
    var client = try client.configuration(url: url)
    client.deflate = try compression.parameters(standard: .standardOffer)
    self.client.tellDangers(client, context)
    let console = context.console
    let count = try message.checkedCount()
    let input = try message.conversationInput()
    let format = try message.conversationFormat(toTerminal: console.standardOutputIsTerminal)
    let outgoing = try message.executed()
    if let descriptor = console.promptDescriptor {
      let session = PromptSession(
        PromptConfiguration(
          client: client, url: url, messages: outgoing, kind: message.kind,
          usesSlashCommands: !noSlash, reaction: echo ? .echo : .none, format: format, count: count,
          showsPingPong: message.showPingPong, isVerbose: output.verbose,
          promptDescriptor: descriptor),
        context)
      return await session.run()
    }
    let session = ConversationSession(
      ConversationConfiguration(
        command: "connect", client: client, messages: outgoing, input: input,
        policy: WaitPolicy(
          wait: message.wait.nanoseconds, linger: message.linger.nanoseconds, count: count,
          awaitsUnasked: true),
        expectations: [], format: format, interruption: .ends, reaction: echo ? .echo : .none,
        showsPingPong: message.showPingPong, isVerbose: output.verbose),
      context)
    return await session.run()
  }
}
