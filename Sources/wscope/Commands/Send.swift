import ArgumentParser
import Conversation
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// `wscope send`.
struct Send: VerboseCommand {
  static let configuration = CommandConfiguration(
    commandName: "send",
    abstract: "Send messages, check the replies, and exit with a meaningful code.",
    discussion: """
      Examples:
        wscope send :8080 ping --expect ping
        wscope send wss://example.com/ws -u user --expect-json '.ok' --within 2s '{}'
        wscope send -v wss://example.com/ws </dev/null

      Without a message, each line of standard input is one, unless it is a terminal; with nothing to \
      send, it checks the handshake.
      """)

  @Argument(
    help: ArgumentHelp("URL to connect to: ws://, wss://, host:port or :port.", valueName: "url"))
  var url: String

  @Argument(help: ArgumentHelp("Messages to send, in order; - also reads standard input."))
  var messages: [String] = []

  @Option(
    help: ArgumentHelp(
      """
      Send the contents of this file as one message, after the others; may be repeated. - is \
      standard input.
      """,
      valueName: "file"),
    completion: .file())
  var file: [String] = []

  @OptionGroup(title: "Expectations") var expectation: ExpectationOptions
  @OptionGroup(title: "Script") var script: ScriptOptions
  @OptionGroup(title: "Repetition") var course: RepetitionOptions
  @OptionGroup(title: "Messages") var message: MessageOptions
  @OptionGroup(title: "Recording") var recording: RecordingOptions
  @OptionGroup(title: "Connection") var client: ClientOptions
  @OptionGroup(title: "Compression") var compression: CompressionOptions
  @OptionGroup(title: "Display") var look: TimestampOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func run(_ context: CommandContext) async throws -> ExitStatus {
    // Report errors in the options before prompting for a password.
    _ = try client.configuration(url: url, ClientReading(context))
    let reading = try await client.read(context)
    var client = try client.configuration(url: url, reading)
    client.deflate = try compression.parameters(standard: .standardOffer)
    client.lintsFrames = message.lint
    client.redirected = ClientOptions.reportRedirects(
      output.isVerbose, showsSecrets: message.showSecrets, context)
    self.client.tls.warnAboutInsecureTLS(client, context)
    if output.isVerbose { ClientOptions.reportWithheldCookies(client, context) }
    let maxTime = try course.limit(&client)
    let count = try message.checkedCount()
    let texts = messages.filter { $0 != "-" }
    var outgoing = try message.executed()
    outgoing += texts.map { OutgoingMessage(message.kind, Array($0.utf8)) }
    outgoing += try file.map { try MessageOptions.message("@" + $0, message.kind) }
    let readsInput =
      messages.contains("-") || (outgoing.isEmpty && !context.console.standardInputIsTerminal)
    let input = try message.conversationInput()
    let expectations = try expectation.expectations(offered: client.subprotocols)
    let within = try expectation.deadline()
    guard count == nil || (expectation.until == nil && expectation.untilJson == nil) else {
      throw CommandFailure(.usage, "--count and --until cannot be used together")
    }
    try look.check(message)
    let format = try message.conversationFormat(
      toTerminal: context.console.standardOutputIsTerminal)
    if expectation.tapOutput {
      guard message.format == .text, !message.null, !message.raw else {
        throw CommandFailure(
          .usage, "--tap-output cannot be used together with --format, --null or --raw")
      }
      guard look.timestamps == nil else {
        throw CommandFailure(.usage, "--tap-output and --timestamps cannot be used together")
      }
    }
    var run = RunConfiguration(
      command: "send", url: client.url, format: format, timestamps: look.timestamps)
    run.report = ReportConfiguration(
      isTAP: expectation.tapOutput, junit: expectation.junit, within: within)
    run.showsPingPong = message.showPingPong
    run.verbosity = output.verbose
    run.showsSecrets = message.showSecrets
    run.recording = try recording.recording()
    run.repetition = try course.repetition()
    run.maxTime = maxTime
    try script.check(self)
    if let path = script.replay {
      let configuration = try script.configuration(self, replaying: path, client)
      let environment = try RunEnvironment(run, context)
      return try await RunSeries(run.repetition, environment).run { number in
        ReplaySession(configuration, number: number, environment)
      }
    }
    if script.script != nil {
      return try await play(run, client, reading, context)
    }
    if run.repetition != nil, readsInput {
      // Read once, and sent in each repetition.
      outgoing += try await InputSource(input).all()
    }
    let conversation = ConversationConfiguration(
      command: "send", client: client, messages: outgoing,
      input: readsInput && run.repetition == nil ? input : .none,
      policy: WaitPolicy(
        wait: message.wait.nanoseconds, linger: message.linger.nanoseconds, count: count,
        within: within),
      expectations: expectations, acceptedCloses: try expectation.acceptedCloses(),
      interruption: .fails, waitUp: try course.patience())
    let environment = try RunEnvironment(run, context)
    return try await RunSeries(run.repetition, environment).run { number in
      ConversationSession(conversation, number: number, environment)
    }
  }

  /// Runs a script.
  private func play(
    _ run: RunConfiguration, _ base: ClientConfiguration, _ reading: ClientReading,
    _ context: CommandContext
  ) async throws -> ExitStatus {
    let (options, compression) = (self.client, compression)
    let endpoint: @Sendable (String?) throws -> ClientConfiguration = { other in
      guard let other else { return base }
      var client = base
      if other.hasPrefix("/") {
        client.url.target = other
        return client
      }
      client = try options.configuration(url: other, reading)
      client.phaseChanged = base.phaseChanged
      client.deflate = try compression.parameters(standard: .standardOffer)
      client.redirected = base.redirected
      client.lintsFrames = message.lint
      return client
    }
    let configuration = try script.configuration(self, context.environment, endpoint)
    let environment = try RunEnvironment(run, context)
    return try await RunSeries(run.repetition, environment).run { number in
      ScriptSession(configuration, number: number, environment)
    }
  }
}
