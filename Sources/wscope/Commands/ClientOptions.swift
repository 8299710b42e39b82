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
      """
      Add this header field to the request; may be repeated. @FILE reads one field per line from a \
      file.
      """,
      valueName: "K: V"))
  var header: [HeaderOption] = []

  @Option(
    help: ArgumentHelp(
      """
      Set a header field that belongs to the handshake, such as Sec-WebSocket-Version, instead of the \
      one that wscope sends; an empty value removes it. Use it to test how a server reacts.
      """, valueName: "K: V"))
  var forceHeader: [HeaderOption] = []

  @Option(
    help: ArgumentHelp(
      """
      Send the bytes of this file as the whole request, valid or not, instead of generating one; - \
      reads standard input.
      """, valueName: "file"),
    completion: .file())
  var rawRequest: PublicText?

  @Option(
    name: [.customShort("s"), .long, .customLong("protocol")],
    help: ArgumentHelp(
      "Offer this subprotocol; may be repeated, or be a comma-separated list.", valueName: "name"))
  var subprotocol: [SubprotocolText] = []

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Send this Origin header field, as a browser would; by default there is none.",
      valueName: "url")
  )
  var origin: URLText?

  @Option(
    help: ArgumentHelp(
      "Connect to this unix socket; Host and path still come from the URL.", valueName: "path"),
    completion: .file())
  var unixSocket: PublicText?

  @Option(
    help: ArgumentHelp(
      """
      Time limit for opening a connection, from name resolution to the upgrade. If only \
      --connect-timeout is given, the limit is 10s more than that.
      """, valueName: "duration"))
  var openTimeout = DurationOption.seconds(10)

  @Flag(
    name: .customLong("http2"),
    help: """
      Use WebSocket over HTTP/2 (RFC 8441): negotiated by ALPN with wss://, with prior knowledge with \
      ws://.
      """)
  var http2 = false

  @OptionGroup var network: NetworkOptions
  @OptionGroup var proxy: ProxyOptions

  @Option(
    help: ArgumentHelp(
      "Time limit for the peer's Close after ours was sent.", valueName: "duration"))
  var closeTimeout = DurationOption.seconds(5)

  @Option(
    help: ArgumentHelp(
      "Reject received messages larger than this, with Close 1009.", valueName: "size"))
  var maxMessage = SizeOption(bytes: Limits.clientMessageSize)

  @OptionGroup(title: "TLS") var tls: TLSOptions
  @OptionGroup(title: "Credentials") var credentials: CredentialOptions
  @OptionGroup(title: "Redirects") var redirects: RedirectOptions

  /// Reads input other than the command line: files, environment variables, and secrets typed at a
  /// prompt.
  ///
  /// - Throws: `CommandFailure`.
  func read(_ context: CommandContext) async throws -> ClientReading {
    var reading = ClientReading(context)
    reading.credentials = try await credentials.read(context)
    reading.credentials.fields = try header.flatMap { try $0.read() }
    reading.rawRequest = try rawRequest.map { RawRequest(try FileContents.read($0.text)) }
    reading.tls = try await tls.settings(context)
    if http2, tls.alpn == nil { reading.tls.protocols = ["h2"] }
    return reading
  }

  /// Validates the options and converts them to a configuration, with all checks that need no
  /// network.
  func configuration(
    url text: String, _ reading: ClientReading
  ) throws -> ClientConfiguration {
    let url: WebSocketURL
    do {
      url = try WebSocketURL.parse(text, toASCII: InternationalName.ascii)
    } catch {
      throw CommandFailure(.badURL, error.message(text))
    }
    var configuration = ClientConfiguration(url: url)
    if let unixSocket { configuration.socketPath = unixSocket.text }
    for field in try header.compactMap({ try $0.typed() }) {
      if let problem = field.problem { throw CommandFailure(.usage, problem) }
      configuration.headers.append((field.name, field.value))
    }
    if let origin = origin?.text, let (offset, _) = HeaderSyntax.firstForbiddenByte(inValue: origin)
    {
      throw CommandFailure(.usage, "--origin contains a control character (byte \(offset))")
    }
    configuration.forcedHeaders = try forcedFields()
    configuration.rawRequest = reading.rawRequest
    configuration.origin = try Self.origin(origin?.text, &configuration.headers)
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
    try checkRawRequest()
    guard !http2 || tls.alpn == nil || offered.contains("h2") else {
      throw CommandFailure(.usage, "--http2 requires h2 in --alpn")
    }
    try reading.credentials.apply(to: &configuration)
    configuration.redirects = try redirects.policy(reading.tls) { [proxy] in
      try proxy.apply(to: &$0, environment: reading.environment)
    }
    if url.security == .tls { configuration.tls = try reading.tls.prepared() }
    configuration.http2 = http2
    return configuration
  }

  private func forcedFields() throws -> [(String, String)] {
    try forceHeader.map { option in
      guard let field = try option.typed() else {
        throw CommandFailure(.usage, "--force-header does not accept @FILE")
      }
      if let problem = field.grammarProblem { throw CommandFailure(.usage, problem) }
      return (field.name, field.value)
    }
  }

  /// Rejects options that could have no effect.
  private func checkRawRequest() throws {
    guard !http2 || (forceHeader.isEmpty && rawRequest == nil) else {
      throw CommandFailure(
        .usage,
        "--http2 cannot be combined with --\(rawRequest == nil ? "force-header" : "raw-request"): "
          + "HTTP/2 requests have no such fields")
    }
    guard rawRequest != nil else { return }
    let others: [(String, Bool)] = [
      ("--header", !header.isEmpty), ("--force-header", !forceHeader.isEmpty),
      ("--subprotocol", !subprotocol.isEmpty), ("--origin", origin != nil),
      ("--user", credentials.user != nil), ("--bearer", credentials.bearer != nil),
      ("--cookie", !credentials.cookie.isEmpty), ("--cookie-jar", credentials.cookieJar != nil),
      ("--netrc", credentials.netrc || credentials.netrcFile != nil),
      ("--location", redirects.location),
    ]
    for (name, isTyped) in others where isTyped {
      throw CommandFailure(
        .usage, "--raw-request and \(name) cannot be used together: it is the whole request")
    }
  }

  /// The single Origin of the request, from `--origin` or from `-H`.
  ///
  /// - Throws: `CommandFailure` if they differ.
  private static func origin(
    _ option: String?, _ headers: inout [(String, String)]
  ) throws -> String? {
    let isOrigin: ((String, String)) -> Bool = { $0.0.lowercased() == "origin" }
    let origins = (option.map { [$0] } ?? []) + headers.filter(isOrigin).map(\.1)
    guard Set(origins).count <= 1 else {
      throw CommandFailure(
        .usage, "--origin and -H 'Origin: ...' differ: a request has one Origin")
    }
    headers.removeAll(where: isOrigin)
    return origins.first
  }

  private func offeredSubprotocols() throws -> [String] {
    let names = subprotocol.flatMap { list in
      list.text.split(separator: ",", omittingEmptySubsequences: false).map(HeaderField.trimmed)
    }
    for name in names where !HeaderSyntax.isToken(name) {
      throw CommandFailure(
        .usage,
        name.isEmpty
          ? "--subprotocol contains an empty name"
          : "--subprotocol \"\(name)\" is not a token (RFC 9110)"
      )
    }
    guard Set(names).count == names.count else {
      throw CommandFailure(.usage, "--subprotocol contains the same name twice")
    }
    return names
  }

  /// With `-v`, reports the cookies in the jar that are not sent because they are for TLS only.
  static func reportWithheldCookies(_ configuration: ClientConfiguration, _ context: CommandContext)
  {
    guard let names = configuration.cookies?.withheld(from: configuration.url), !names.isEmpty
    else {
      return
    }
    context.inform(
      "cookies marked Secure are not sent over ws://: \(names.joined(separator: ", "))")
  }

  /// Reports every redirect that is followed if `isVerbose`; otherwise only those whose target
  /// receives fewer header fields than the first server.
  static func reportRedirects(
    _ isVerbose: Bool, showsSecrets: Bool = false, _ context: CommandContext
  ) -> @Sendable (Redirect) -> Void {
    { redirect in
      guard isVerbose || !redirect.dropped.isEmpty else { return }
      let endpoint = "\(redirect.configuration.url)"
      let dropped = redirect.dropped.joined(separator: ", ")
      context.inform(
        "redirected (\(redirect.status.code)) to \(showsSecrets ? endpoint : Redaction.url(endpoint))"
          + (dropped.isEmpty ? "" : "; not sent there: \(dropped)"))
    }
  }
}

/// The options of every command that prints.
struct OutputOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "When to use colour: auto (on a terminal), always or never.", valueName: "when"))
  var color = ColorOption.auto

  @Flag(
    name: .shortAndLong,
    help: """
      Print the handshake, timings, sizes and the close; in listen, log every message, sent ones too. \
      Given twice, connect also prints every frame and the sizes on the wire.
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
      """
      Send this message as soon as the connection opens; may be repeated. @FILE sends the contents \
      of a file, @- standard input.
      """,
      valueName: "message"))
  var execute: [String] = []

  @Flag(name: .shortAndLong, help: "Send binary messages; the default is text.")
  var binary = false

  @Flag(
    name: [.customShort("0"), .long, .customLong("null-terminated")],
    help: "End each message on standard input and output with NUL instead of a newline.")
  var null = false

  @Flag(help: "Send all of standard input as one message.")
  var stdinWhole = false

  @Flag(help: "Write messages to standard output without a newline after each.")
  var raw = false

  @Flag(
    help: """
      Write messages to a terminal without escaping control characters. A peer can then do whatever \
      the terminal allows.
      """)
  var rawTerminal = false

  @Option(
    name: [.customShort("w", allowingJoined: true), .long],
    help: ArgumentHelp(
      "Time limit for the first reply after the last message was sent; 0 does not wait.",
      valueName: "duration"))
  var wait = DurationOption.seconds(10)

  @Option(
    help: ArgumentHelp(
      "After a reply, end when no further message arrives for this long.", valueName: "duration"))
  var linger = DurationOption.seconds(1)

  @Option(
    name: [.customShort("N", allowingJoined: true), .long, .customLong("max-messages")],
    help: ArgumentHelp(
      "End after receiving this many messages; by default there is no limit.", valueName: "n"))
  var count: Int?

  @Flag(
    name: [.customShort("1"), .long], help: "End after receiving one message; same as --count 1.")
  var oneMessage = false

  @Option(
    help: ArgumentHelp(
      "Output format: text, or jsonl (one JSON object per event and line).", valueName: "format"))
  var format = FormatOption.text

  @Option(
    help: ArgumentHelp(
      "Format of standard input: text, or jsonl (the lines that --format jsonl prints).",
      valueName: "format"))
  var input = FormatOption.text

  @Flag(
    help: """
      Count legal but unusual properties of the peer's frames, and report them at the end: lengths \
      encoded in more bytes than necessary, empty fragments, text fragments that end inside a \
      character.
      """)
  var lint = false

  @Flag(name: [.customShort("P"), .long], help: "Show received and sent pings and pongs.")
  var showPingPong = false

  @Flag(help: "Show passwords and tokens in the output of -v and in recordings instead of ***.")
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
    if kind == .text, let problem = InvalidText(payload) {
      throw CommandFailure(
        .usage, "\(text.dropFirst()) is \(problem.message); --binary sends it unchanged")
    }
    return OutgoingMessage(kind, payload)
  }

  func checkedCount() throws -> Int? {
    if let count, count < 1 { throw CommandFailure(.usage, "--count must be at least 1") }
    if oneMessage, let count, count != 1 {
      throw CommandFailure(.usage, "--one-message and --count \(count) cannot be used together")
    }
    return oneMessage ? 1 : count
  }

  func conversationInput() throws -> ConversationConfiguration.Input {
    guard !(null && stdinWhole) else {
      throw CommandFailure(.usage, "--null and --stdin-whole cannot be used together")
    }
    guard input == .text else {
      guard !null, !stdinWhole, !binary else {
        throw CommandFailure(
          .usage, "--input jsonl cannot be used together with --null, --stdin-whole or --binary")
      }
      return .jsonLines
    }
    return .messages(stdinWhole ? .endOfInput : null ? .null : .newline, kind)
  }

  func conversationFormat(toTerminal: Bool) throws -> RunConfiguration.Format {
    guard format == .text else {
      guard !rawTerminal else {
        throw CommandFailure(
          .usage,
          "--raw-terminal and --format jsonl cannot be used together: JSON is always escaped")
      }
      guard !null, !raw else {
        throw CommandFailure(.usage, "--format jsonl cannot be used together with --null or --raw")
      }
      return .jsonLines
    }
    guard !(null && raw) else {
      throw CommandFailure(.usage, "--null and --raw cannot be used together")
    }
    return .payload(
      PayloadFormat(
        terminator: raw ? .none : null ? .null : .newline, isForTerminal: toTerminal && !rawTerminal
      ))
  }
}
