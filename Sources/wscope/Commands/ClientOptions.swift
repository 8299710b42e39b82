import ArgumentParser
import NIOCore
import NIOHTTP1
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// The options of every command that connects.
struct ClientOptions: ParsableArguments {
  @Option(
    name: [.customShort("H", allowingJoined: true), .long],
    help: ArgumentHelp(
      "Add a header field to the request; may be repeated. @FILE has one a line.",
      valueName: "K: V"))
  var header: [HeaderOption] = []

  @Option(
    name: [.customShort("s"), .long, .customLong("protocol")],
    help: ArgumentHelp(
      "Offer a subprotocol; may be repeated, or be a list with commas.", valueName: "name"))
  var subprotocol: [String] = []

  @Option(
    name: .shortAndLong, help: ArgumentHelp("Send an Origin, as a browser would.", valueName: "url")
  )
  var origin: String?

  @Option(
    help: ArgumentHelp(
      "Connect to this unix socket; the URL still gives Host and path.", valueName: "path"),
    completion: .file())
  var unixSocket: String?

  @Option(
    help: ArgumentHelp(
      """
      Give up when all of the opening takes longer, from the name to the upgrade; with --connect-timeout \
      alone it is 10s more than that.
      """, valueName: "duration"))
  var openTimeout = DurationOption.seconds(10)

  @Flag(
    name: .customLong("http2"),
    help: """
      Ask for the WebSocket over HTTP/2 (RFC 8441): by ALPN with wss://, with ws:// by prior knowledge.
      """)
  var http2 = false

  @OptionGroup var network: NetworkOptions
  @OptionGroup var proxy: ProxyOptions

  @Option(
    help: ArgumentHelp("Wait this long for the peer's Close.", valueName: "duration"))
  var closeTimeout = DurationOption.seconds(5)

  @Option(
    help: ArgumentHelp("Refuse messages that are larger.", valueName: "size"))
  var maxMessage = SizeOption(bytes: Limits.clientMessageSize)

  @OptionGroup(title: "TLS") var tls: TLSOptions
  @OptionGroup(title: "Credentials") var credentials: CredentialOptions
  @OptionGroup(title: "Redirects") var redirects: RedirectOptions

  /// Reads what stands elsewhere: files, variables, and the memory of the person.
  ///
  /// - Throws: `CommandFailure`.
  func read(_ context: CommandContext) async throws -> ClientReading {
    var reading = ClientReading(context)
    reading.credentials = try await credentials.read(context)
    reading.credentials.fields = try header.flatMap { try $0.read() }
    reading.tls = try await tls.settings(context)
    if http2, tls.alpn == nil { reading.tls.protocols = ["h2"] }
    return reading
  }

  /// What was typed becomes what is meant: all checks that need no network happen here.
  func configuration(
    url text: String, _ reading: ClientReading
  ) throws -> ClientConfiguration {
    let url: WebSocketURL
    do {
      url = try WebSocketURL.parse(text)
    } catch {
      throw CommandFailure(.badURL, error.words(text))
    }
    var configuration = ClientConfiguration(url: url)
    if let unixSocket { configuration.socketPath = unixSocket }
    for field in header.compactMap(\.typed) {
      if let problem = field.problem { throw CommandFailure(.usage, problem) }
      configuration.headers.append((field.name, field.value))
    }
    if let origin, let (offset, _) = HeaderSyntax.firstForbiddenByte(inValue: origin) {
      throw CommandFailure(.usage, "--origin contains a control character (byte \(offset))")
    }
    configuration.origin = origin
    configuration.subprotocols = try offeredSubprotocols()
    configuration.userAgent = Version.userAgent
    try network.apply(to: &configuration)
    try proxy.apply(to: &configuration, environment: reading.environment)
    configuration.openTimeout = .nanoseconds(openTimeout.nanoseconds)
    if let connecting = configuration.connectTimeout, !openTimeout.isTyped {
      configuration.openTimeout = connecting + .nanoseconds(openTimeout.nanoseconds)
    }
    configuration.closeTimeout = .nanoseconds(closeTimeout.nanoseconds)
    guard (1...Limits.largestMessageSize).contains(maxMessage.bytes) else {
      throw CommandFailure(.usage, "--max-message must be from 1 byte to 1 GiB")
    }
    configuration.limits = Limits(messageSize: maxMessage.bytes)
    guard configuration.openTimeout > .zero else {
      throw CommandFailure(.usage, "--open-timeout must be longer than 0")
    }
    let offered = try tls.checked().protocols
    guard !http2 || tls.alpn == nil || offered.contains("h2") else {
      throw CommandFailure(.usage, "--http2 needs h2 among the protocols of --alpn")
    }
    try reading.credentials.apply(to: &configuration)
    configuration.redirects = try redirects.policy(reading.tls) { [proxy] in
      try proxy.apply(to: &$0, environment: reading.environment)
    }
    if url.security == .tls { configuration.tls = try reading.tls.prepared() }
    configuration.http2 = http2
    return configuration
  }

  private func offeredSubprotocols() throws -> [String] {
    let names = subprotocol.flatMap { list in
      list.split(separator: ",").map { name in name.filter { $0 != " " } }
    }
    for name in names where !HeaderSyntax.isToken(name) {
      throw CommandFailure(.usage, "--subprotocol \"\(name)\" is not a token")
    }
    guard Set(names).count == names.count else {
      throw CommandFailure(.usage, "--subprotocol: the same name twice")
    }
    return names
  }

  /// Tells of every redirect that is followed if `isVerbose`, of those behind which the server gets less
  /// than the first one always.
  static func tellOfRedirects(
    _ isVerbose: Bool, showsSecrets: Bool = false, _ context: CommandContext
  ) -> @Sendable (Redirect) -> Void {
    { redirect in
      guard isVerbose || !redirect.dropped.isEmpty else { return }
      let place = "\(redirect.configuration.url)"
      let dropped = redirect.dropped.joined(separator: ", ")
      context.inform(
        "redirected (\(redirect.status.code)) to \(showsSecrets ? place : Redaction.url(place))"
          + (dropped.isEmpty ? "" : "; not sent there: \(dropped)"))
    }
  }
}

/// The options of every command that prints.
struct OutputOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Colour: auto, always or never.", valueName: "when"))
  var color = ColorOption.auto

  @Flag(
    name: .shortAndLong,
    help: """
      Tell about the handshake, the timings, sizes and the close; listen: log every message. Twice, \
      connect tells about every frame and about sizes on the wire.
      """)
  var verbose: Int

  var isVerbose: Bool { verbose > 0 }
}

/// `--color`, with completions.
enum ColorOption: String, ExpressibleByArgument, CaseIterable {
  case auto
  case always
  case never
}

/// The options of the commands that print messages.
struct MessageOptions: ParsableArguments {
  @Option(
    name: [.customShort("x", allowingJoined: true), .long, .customLong("message")],
    help: ArgumentHelp(
      "Send this message on open; may be repeated. @FILE sends a file, @- standard input.",
      valueName: "message"))
  var execute: [String] = []

  @Flag(name: .shortAndLong, help: "Send messages as binary.")
  var binary = false

  @Flag(
    name: [.customShort("0"), .long, .customLong("null-terminated")],
    help: "Messages on standard input and output end with NUL, not with a newline.")
  var null = false

  @Flag(help: "All of standard input is one message.")
  var stdinWhole = false

  @Flag(help: "Nothing ends a message on standard output.")
  var raw = false

  @Option(
    name: [.customShort("w", allowingJoined: true), .long],
    help: ArgumentHelp(
      "Wait this long for the first reply to the last message; 0 does not wait.",
      valueName: "duration"))
  var wait = DurationOption.seconds(10)

  @Option(
    help: ArgumentHelp(
      "Once a reply came, end when nothing more comes for this long.", valueName: "duration"))
  var linger = DurationOption.seconds(1)

  @Option(
    name: [.customShort("N", allowingJoined: true), .long, .customLong("max-messages")],
    help: ArgumentHelp("End when this many messages have come.", valueName: "n"))
  var count: Int?

  @Flag(name: [.customShort("1"), .long], help: "The same as --count 1.")
  var oneMessage = false

  @Option(help: ArgumentHelp("Output: text or jsonl (a JSON line an event).", valueName: "format"))
  var format = FormatOption.text

  @Option(
    help: ArgumentHelp("Input: text or jsonl (as --format jsonl prints).", valueName: "format"))
  var input = FormatOption.text

  @Flag(name: [.customShort("P"), .long], help: "Show pings and pongs.")
  var showPingPong = false

  @Flag(help: "Do not hide passwords and tokens in what -v and recordings show of the handshake.")
  var showSecrets = false

  enum FormatOption: String, ExpressibleByArgument, CaseIterable {
    case text
    case jsonl
  }

  var kind: MessageKind { binary ? .binary : .text }

  /// The messages of `-x`, in order.
  func executed() throws -> [OutgoingMessage] {
    try execute.map { try Self.message($0, kind) }
  }

  static func message(_ text: String, _ kind: MessageKind) throws -> OutgoingMessage {
    guard text.hasPrefix("@") else { return OutgoingMessage(kind, Array(text.utf8)) }
    let payload = try FileContents.read(String(text.dropFirst()))
    guard kind == .binary || String(validating: payload, as: UTF8.self) != nil else {
      throw CommandFailure(
        .usage, "\(text.dropFirst()) is not valid UTF-8; to send it as it is: --binary")
    }
    return OutgoingMessage(kind, payload)
  }

  func checkedCount() throws -> Int? {
    if let count, count < 1 { throw CommandFailure(.usage, "--count must be at least 1") }
    if oneMessage, let count, count != 1 {
      throw CommandFailure(.usage, "--one-message and --count \(count) exclude each other")
    }
    return oneMessage ? 1 : count
  }

  func conversationInput() throws -> ConversationConfiguration.Input {
    guard !(null && stdinWhole) else {
      throw CommandFailure(.usage, "--null and --stdin-whole exclude each other")
    }
    guard input == .text else {
      guard !null, !stdinWhole, !binary else {
        throw CommandFailure(
          .usage, "--input jsonl has lines of its own: no --null, --stdin-whole or --binary")
      }
      return .jsonLines
    }
    return .messages(stdinWhole ? .endOfInput : null ? .null : .newline, kind)
  }

  func conversationFormat(toTerminal: Bool) throws -> RunConfiguration.Format {
    guard format == .text else {
      guard !null, !raw else {
        throw CommandFailure(.usage, "--format jsonl has lines of its own: no --null or --raw")
      }
      return .jsonLines
    }
    guard !(null && raw) else {
      throw CommandFailure(.usage, "--null and --raw exclude each other")
    }
    return .payload(
      PayloadFormat(
        terminator: raw ? .none : null ? .null : .newline, isForTerminal: toTerminal))
  }
}
