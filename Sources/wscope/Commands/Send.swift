import ArgumentParser
import Conversation
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// `wscope send`.
struct Send: SessionCommand {
  static let configuration = CommandConfiguration(
    commandName: "send",
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

  @Option(
    help: ArgumentHelp(
      "Send this file, as one message behind the others; may be repeated. - is standard input.",
      valueName: "file"),
    completion: .file())
  var file: [String] = []

  @OptionGroup(title: "Expectations") var expectation: ExpectationOptions
  @OptionGroup(title: "Script") var script: ScriptOptions
  @OptionGroup(title: "Course") var course: CourseOptions
  @OptionGroup(title: "Messages") var message: MessageOptions
  @OptionGroup(title: "Recording") var recording: RecordingOptions
  @OptionGroup(title: "Connection") var client: ClientOptions
  @OptionGroup(title: "Compression") var compression: CompressionOptions
  @OptionGroup(title: "Look") var look: StampOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func run(_ context: CommandContext) async throws -> ExitStatus {
    // What is wrong with the options is said before anybody is asked for a password.
    _ = try client.configuration(url: url, ClientReading(context))
    let reading = try await client.read(context)
    var client = try client.configuration(url: url, reading)
    client.deflate = try compression.parameters(standard: .standardOffer)
    client.redirected = ClientOptions.tellOfRedirects(
      output.isVerbose, showsSecrets: message.showSecrets, context)
    self.client.tls.tellDangers(client, context)
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
      throw CommandFailure(.usage, "--count and --until exclude each other: both end it")
    }
    try look.check(message)
    let format = try message.conversationFormat(
      toTerminal: context.console.standardOutputIsTerminal)
    if expectation.tapOutput {
      guard message.format == .text, !message.null, !message.raw else {
        throw CommandFailure(
          .usage, "--tap-output takes the place of the messages: no --format, --null or --raw")
      }
      guard look.timestamps == nil else {
        throw CommandFailure(.usage, "--tap-output has no messages to put --timestamps in front of")
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
      let surroundings = try RunSurroundings(run, context)
      return try await RunSeries(run.repetition, surroundings).run { number in
        ReplaySession(configuration, number: number, surroundings)
      }
    }
    if script.script != nil {
      return try await play(run, client, reading, context)
    }
    if run.repetition != nil, readsInput {
      // Read once, sent by each.
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
    let surroundings = try RunSurroundings(run, context)
    return try await RunSeries(run.repetition, surroundings).run { number in
      ConversationSession(conversation, number: number, surroundings)
    }
  }

  /// Plays a script.
  private func play(
    _ run: RunConfiguration, _ base: ClientConfiguration, _ reading: ClientReading,
    _ context: CommandContext
  ) async throws -> ExitStatus {
    let (options, compression) = (self.client, compression)
    let place: @Sendable (String?) throws -> ClientConfiguration = { other in
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
      return client
    }
    let configuration = try script.configuration(self, context.environment, place)
    let surroundings = try RunSurroundings(run, context)
    return try await RunSeries(run.repetition, surroundings).run { number in
      ScriptSession(configuration, number: number, surroundings)
    }
  }
}
