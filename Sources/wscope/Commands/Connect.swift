import ArgumentParser
import Conversation
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// `wscope connect`.
struct Connect: VerboseCommand {
  static let configuration = CommandConfiguration(
    commandName: "connect",
    abstract: "Talk to an endpoint: interactive on a terminal, a filter in a pipe.",
    discussion: """
      Examples:
        wscope connect :8080
        wscope connect wss://example.com/feed -H 'Authorization: Bearer ...' -s chat
        tail -f events.log | wscope connect :8080

      On a terminal, each line you type is a message, messages that arrive appear above the prompt, \
      and /help lists the commands; without a URL, recent ones are offered. In a pipe, each line of \
      standard input is a message, messages go to standard output, and at the end of the input it \
      waits for replies as send does.
      """)

  @Argument(
    help: ArgumentHelp("URL to connect to: ws://, wss://, host:port or :port.", valueName: "url"))
  var url: String?

  @OptionGroup(title: "Messages") var message: MessageOptions

  @Flag(help: "Send lines that begin with / as messages instead of treating them as commands.")
  var noSlash = false

  @Flag(help: "Send every message back immediately, as an echo server does.")
  var echo = false

  @OptionGroup(title: "Session") var session: SessionOptions
  @OptionGroup(title: "Recording") var record: RecordingOptions
  @OptionGroup(title: "Connection") var client: ClientOptions
  @OptionGroup(title: "Compression") var compression: CompressionOptions
  @OptionGroup(title: "Display") var stamps: TimestampOptions
  @OptionGroup(title: "Display") var look: LookOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func run(_ context: CommandContext) async throws -> ExitStatus {
    // Report errors in the options before prompting for a URL.
    try check(context)
    let console = context.console
    guard let url = try await chosenURL(context) else { return .ok }
    let reading = try await client.read(context)
    let tell = ClientOptions.reportRedirects(
      output.isVerbose, showsSecrets: message.showSecrets, context)
    let endpoint: @Sendable (String) throws -> ClientConfiguration = { url in
      var client = try self.endpoint(url, reading)
      client.redirected = tell
      return client
    }
    let client = try endpoint(url)
    self.client.tls.warnAboutInsecureTLS(client, context)
    if output.isVerbose { ClientOptions.reportWithheldCookies(client, context) }
    if let descriptor = console.promptDescriptor {
      return try await PromptSession(
        try prompt(client, endpoint, descriptor, context), context
      ).run()
    }
    let run = try runConfiguration(client, console)
    let conversation = try filter(client)
    let environment = try RunEnvironment(run, context)
    return try await RunSeries(nil, environment).run { number in
      ConversationSession(conversation, number: number, environment)
    }
  }

  /// The client configuration for a URL, according to the options.
  private func endpoint(
    _ url: String, _ reading: ClientReading
  ) throws -> ClientConfiguration {
    var client = try client.configuration(url: url, reading)
    client.deflate = try compression.parameters(standard: .standardOffer)
    client.keepAlive = try session.keepAlive()
    client.tracesFrames = output.verbose > 1
    client.lintsFrames = message.lint
    return client
  }

  private func check(_ context: CommandContext) throws {
    _ = try endpoint(url ?? "localhost", ClientReading(context))
    _ = try message.checkedCount()
    _ = try message.conversationInput()
    _ = try message.conversationFormat(toTerminal: true)
    _ = try record.recording()
    try stamps.check(message)
    try message.format.check(indentsJSON: look.json)
  }

  /// The URL of the command line, or one that the user chooses; nil if the user chooses none.
  private func chosenURL(_ context: CommandContext) async throws -> String? {
    if let url { return url }
    guard let descriptor = context.console.promptDescriptor else {
      throw CommandFailure(.usage, "missing expected argument '<url>'")
    }
    return try await URLChoice(descriptor: descriptor, context: context).ask()
  }

  private func prompt(
    _ client: ClientConfiguration,
    _ endpoint: @escaping @Sendable (String) throws -> ClientConfiguration, _ descriptor: Int32,
    _ context: CommandContext
  ) throws -> PromptConfiguration {
    PromptConfiguration(
      client: client, endpoint: endpoint, messages: try message.executed(),
      kind: message.kind, usesSlashCommands: !noSlash, reaction: echo ? .echo : .none,
      format: try message.conversationFormat(toTerminal: context.console.standardOutputIsTerminal),
      count: try message.checkedCount(), showsPingPong: message.showPingPong,
      verbosity: output.verbose, showsSecrets: message.showSecrets, timestamps: stamps.timestamps,
      indentsJSON: look.json, isRawTerminal: message.rawTerminal,
      reconnect: session.reconnectPolicy,
      recording: try record.recording(), promptDescriptor: descriptor)
  }

  private func runConfiguration(
    _ client: ClientConfiguration, _ console: Console
  ) throws -> RunConfiguration {
    var format = try message.conversationFormat(toTerminal: console.standardOutputIsTerminal)
    if look.json, case .payload(var payload) = format {
      payload.indentsJSON = true
      format = .payload(payload)
    }
    var run = RunConfiguration(
      command: "connect", url: client.url, format: format, timestamps: stamps.timestamps)
    run.showsPingPong = message.showPingPong
    run.verbosity = output.verbose
    run.showsSecrets = message.showSecrets
    run.recording = try record.recording()
    return run
  }

  private func filter(_ client: ClientConfiguration) throws -> ConversationConfiguration {
    ConversationConfiguration(
      command: "connect", client: client, messages: try message.executed(),
      input: try message.conversationInput(),
      policy: WaitPolicy(
        wait: message.wait.nanoseconds, linger: message.linger.nanoseconds,
        count: try message.checkedCount(), awaitsUnasked: true),
      expectations: [], interruption: .ends, reaction: echo ? .echo : .none,
      reconnect: session.reconnectPolicy)
  }
}
