import ArgumentParser
import NIOCore
import Terminal
import TestServer
import WebSocketNIO
import WebSocketProtocol

/// `wscope listen`.
struct Listen: VerboseCommand {
  static let configuration = CommandConfiguration(
    commandName: "listen",
    abstract: "Run a throwaway server: echo, broadcast or chat, with a page for browsers.",
    discussion: """
      Examples:
        wscope listen 8080                              # an echo server, and a page for browsers
        wscope listen 8080 --on '< ping => > pong'      # a mock service
        wscope listen 8080 --fault rst,after=10,p=30%   # a broken peer
        wscope listen 8080 --script login.wscope --once # a test of a client

      It listens on 127.0.0.1 and ::1 unless a host is given, and answers GET / with a page that \
      makes any browser a client. Port 0 takes a free port.
      """)

  @Argument(help: ArgumentHelp("[HOST:]PORT to listen on (default: 8080).", valueName: "port"))
  var port: String?

  @Argument(
    parsing: .postTerminator,
    help: ArgumentHelp("The program of --exec and its arguments.", valueName: "command"))
  var command: [String] = []

  @Option(
    help: ArgumentHelp(
      "Listen on this address or host name, which may open the server to other machines; by default on loopback only.",
      valueName: "host"))
  var host: String?

  @Option(
    help: ArgumentHelp("Listen on a unix socket instead of a port.", valueName: "path"),
    completion: .file())
  var unixSocket: String?

  @Option(
    help: ArgumentHelp(
      "What answers a connection (default: echo). \(ModeOption.summaries)", valueName: "mode"),
    completion: .list(Modes.spellings))
  var mode: ModeOption?

  @Flag(help: "Reject paths that are not test paths with 404.")
  var strictPaths = false

  @Flag(
    help: """
      Add the paths under /t/, in any mode: updates that are published by POST, and read by WebSocket, server-sent \
      events, polls and long polls. bench transports compares them.
      """)
  var transports = false

  @Flag(help: "Read lines without a prompt, on a terminal too. Mode manual.")
  var noPrompt = false

  @Option(
    help: ArgumentHelp("Write the port number to this file once bound.", valueName: "file"),
    completion: .file())
  var portFile: String?

  @Flag(
    help:
      "Serve wss:// with a certificate made for this run, for localhost and the names of this machine."
  )
  var tls = false

  @Option(
    name: .customLong("tls-ca-out"),
    help: ArgumentHelp(
      """
      Have the certificate of --tls signed by an authority made for this run, and write that of the authority to this \
      file (PEM), for a phone or a browser to trust. Its key is kept nowhere.
      """, valueName: "file"),
    completion: .file())
  var tlsCAOut: String?

  @Option(
    help: ArgumentHelp(
      "Serve wss:// with this certificate, followed by its chain (PEM).", valueName: "file"),
    completion: .file())
  var cert: String?

  @Option(
    help: ArgumentHelp("Private key for --cert (PEM).", valueName: "file"), completion: .file())
  var key: String?

  @Flag(
    name: .customLong("http2"),
    help:
      "Also serve WebSocket over HTTP/2 (RFC 8441): negotiated by ALPN with TLS, with prior knowledge without."
  )
  var http2 = false

  @Option(
    name: [.customShort("s"), .long, .customLong("protocol")],
    help: ArgumentHelp(
      "Accept this subprotocol if a client offers it; may be repeated, in order of preference.",
      valueName: "name"))
  var subprotocol: [String] = []

  @Option(
    help: ArgumentHelp(
      "Allow pages of this origin to connect, as in https://example.com; may be repeated.",
      valueName: "origin"))
  var allowOrigin: [String] = []

  @Option(
    help: ArgumentHelp("Accept this name in the Host field; may be repeated.", valueName: "name"))
  var allowHost: [String] = []

  @Option(
    help: ArgumentHelp("Reject messages larger than this, with Close 1009.", valueName: "size"))
  var maxMessage = SizeOption(bytes: Limits.serverMessageSize)

  @Option(
    help: ArgumentHelp(
      "Reject requests whose head is larger than this, or has a line larger than a quarter of it.",
      valueName: "size"))
  var maxHead = SizeOption(bytes: HeadLimits.standard.head)

  @Option(
    help: ArgumentHelp(
      "Close a client that reads too slowly once more than this is queued for it.",
      valueName: "size"))
  var maxQueue = SizeOption(bytes: 16 << 20)

  @Option(
    help: ArgumentHelp(
      "Limit for clients at a time; more are rejected with 503 (default: nine tenths of the open-file limit).",
      valueName: "n"))
  var maxClients: Int?

  @Option(
    help: ArgumentHelp(
      "Time limit for the clients' Close when the server shuts down.", valueName: "duration"))
  var closeTimeout = DurationOption.seconds(5)

  @Option(help: ArgumentHelp("Number of event loop threads.", valueName: "n"))
  var threads = 1

  @Flag(
    help: """
      Add the paths under /_/, through which a test or a script controls the server: it lists clients, sends, closes, \
      cuts, changes faults, and reads what has happened.
      """)
  var control = false

  @Flag(
    help:
      "Let other processes listen on the same port (SO_REUSEPORT); the kernel distributes the clients."
  )
  var reusePort = false

  @Flag(
    help: """
      Count legal but unusual properties of a client's frames, and log them when it disconnects: lengths encoded in \
      more bytes than necessary, empty fragments, text fragments that end inside a character, masking keys used again.
      """)
  var lint = false

  @OptionGroup(title: "Access") var access: AccessOptions
  @OptionGroup(title: "End") var end: ServerEndOptions
  @OptionGroup(title: "Publishing") var publishing: PublishingOptions
  @OptionGroup(title: "Scripts and rules") var scripts: ServerScriptOptions
  @OptionGroup(title: "Programs") var programs: ProgramOptions
  @OptionGroup(title: "Faults") var faults: FaultOptions
  @OptionGroup(title: "Compression") var compression: CompressionOptions
  @OptionGroup(title: "Log") var log: LogOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func run(_ context: CommandContext) async throws -> ExitStatus {
    let address = try self.address()
    if log.format == .jsonl { try checkStandardOutput() }
    var server = TestServerConfiguration()
    server.mode = try mode?.mode() ?? .echo
    try scripts.check(hasMode: mode != nil, isStrict: strictPaths)
    try programs.check(
      command, server.mode, hasMode: mode != nil, script: scripts.script, isStrict: strictPaths)
    if server.mode.entry.isFed || server.mode.entry.isAnsweredByHand, scripts.rules == "-" {
      throw CommandFailure(.usage, "standard input is already used by --rules -")
    }
    let program = try programs.program(
      command, publishing, maxMessage: maxMessage.bytes, isOpen: !address.isLoopback,
      context.environment)
    let scripting = try scripts.configuration(
      hasMode: mode != nil || program != nil, context.environment)
    server.scripting = scripting?.scripting
    if !server.mode.entry.isFed { server.program = program }
    server.version = Version.number
    server.behaviour = server.program == nil ? scripting?.behaviour : "exec"
    server.capture = try log.capture(isVerbose: output.isVerbose)
    try publishing.check(
      server.mode, hasTestPaths: scripting == nil && server.program == nil,
      hasProgram: program != nil)
    var feed = try publishing.feed(
      server.mode, maxMessage: maxMessage.bytes, isQuiet: log.quiet, endsAtEnd: end.exitAtEof)
    feed?.program = program
    server.slow = publishing.slow ?? .close
    server.keptMessages = publishing.keep
    server.origins = OriginRules(
      allowedOrigins: allowOrigin, allowedHosts: allowHost + [address.hostName].compactMap { $0 })
    server.originRemedy = Self.originRemedy
    guard (1...Limits.largestMessageSize).contains(maxMessage.bytes) else {
      throw CommandFailure(.usage, "--max-message must be from 1 byte to 1 GiB")
    }
    server.limits = Limits(messageSize: maxMessage.bytes)
    guard (1024...(16 << 20)).contains(maxHead.bytes) else {
      throw CommandFailure(.usage, "--max-head must be from 1 KiB to 16 MiB")
    }
    server.headLimits = HeadLimits(head: maxHead.bytes)
    server.queueLimit = maxQueue.bytes
    server.closeTimeout = .nanoseconds(closeTimeout.nanoseconds)
    for name in subprotocol where !HeaderSyntax.isToken(name) {
      throw CommandFailure(.usage, "--subprotocol \"\(name)\" is not a token (RFC 9110)")
    }
    server.subprotocols = subprotocol
    if access.requireSubprotocol, subprotocol.isEmpty {
      throw CommandFailure(.usage, "--require-subprotocol requires --subprotocol")
    }
    server.requiresSubprotocol = access.requireSubprotocol
    server.credentials = try access.credentials(context.environment)
    let served = try end.served()
    server.maxUpgrades = try end.connections() ?? .max
    if reusePort, unixSocket != nil {
      throw CommandFailure(.usage, "--reuse-port and --unix-socket cannot be used together")
    }
    server.reusesPort = reusePort
    server.deflate = try compression.parameters(standard: DeflateParameters())
    guard (1...1024).contains(threads) else {
      throw CommandFailure(.usage, "--threads must be from 1 to 1024")
    }
    if let maxClients, maxClients < 1 {
      throw CommandFailure(.usage, "--max-clients must be at least 1")
    }
    server.maxClients = maxClients ?? OpenFiles.raiseLimit() * 9 / 10
    let (identity, certificate) = try self.identity()
    server.tls = identity
    try access.requireClientCertificates(of: &server.tls)
    if let tlsCAOut, let certificate {
      try FileContents.write(certificate.pem, to: tlsCAOut, context.console)
    }
    server.http2 = http2
    server.lintsFrames = lint
    server.isStrictAboutPaths = strictPaths
    server.hasTransports = transports
    server.faults = try faults.plan()
    server.allowsURLFaults = !faults.noURLFaults
    let start = NIODeadline.now()
    if control {
      server.control = ControlConfiguration(
        token: address.isLoopback ? nil : ControlConfiguration.makeToken(),
        text: ServerControlText(lines: ServerJSONLines(start: start)))
    }
    let manual = manual(server, context)
    if manual?.prompt == nil, manual != nil, log.format != .jsonl {
      server.capture.messagesPerSecond = .max
      server.capture.maxPayload = .max
    }
    if noPrompt, manual == nil {
      throw CommandFailure(.usage, "--no-prompt requires mode manual")
    }
    let session = ListenSession(
      ListenConfiguration(
        address: address, server: server, start: start, certificate: certificate, threads: threads,
        portFile: portFile, log: log.look, isJSONLines: log.format == .jsonl,
        faultSummary: faults.summary(server.faults),
        scripts: scripting, program: program, manual: manual, timeLimit: try end.timeLimit(),
        feed: feed),
      served, context)
    return await session.run()
  }

  /// - Throws: `CommandFailure` if another option writes to the standard output of the events.
  private func checkStandardOutput() throws {
    for (option, isUsed) in [
      ("--tap-output", scripts.tapOutput), ("--junit -", scripts.junit == "-"),
      ("--port-file -", portFile == "-"), ("--tls-ca-out -", tlsCAOut == "-"),
    ] where isUsed {
      throw CommandFailure(
        .usage, "\(option) and --format jsonl cannot be used together: both use standard output")
    }
  }

  /// How clients of mode `manual` are answered: at a prompt if there are terminals, or else by lines.
  private func manual(
    _ server: TestServerConfiguration, _ context: CommandContext
  ) -> ManualSession.Configuration? {
    guard server.mode.entry.isAnsweredByHand else { return nil }
    return ManualSession.Configuration(
      kind: publishing.binary ? .binary : .text,
      prompt: noPrompt || log.format == .jsonl ? nil : context.console.promptDescriptor,
      endsAtEnd: end.exitAtEof, isQuiet: log.quiet)
  }

  /// - Throws: `CommandFailure`; `TLSFailure` for files that cannot be used.
  private func identity() throws -> (ServerTLS?, RunCertificate?) {
    guard tlsCAOut == nil || tls else {
      throw CommandFailure(.usage, "--tls-ca-out requires --tls")
    }
    switch (cert, key) {
    case (let cert?, let key?):
      guard !tls else {
        throw CommandFailure(.usage, "--tls and --cert cannot be used together")
      }
      return (try ServerTLS(certificateFile: cert, keyFile: key), nil)
    case (nil, nil):
      guard tls else { return (nil, nil) }
      let certificate = try RunCertificate(hasAuthority: tlsCAOut != nil)
      return (certificate.tls, certificate)
    default:
      throw CommandFailure(.usage, "--cert and --key require each other")
    }
  }

  private func address() throws -> ListeningAddress {
    if let unixSocket {
      guard port == nil, host == nil else {
        throw CommandFailure(.usage, "--unix-socket cannot be combined with a port or --host")
      }
      return .unixSocket(path: unixSocket)
    }
    let text = port ?? "8080"
    var digits = Substring(text)
    var name = host
    if let colon = text.lastIndex(of: ":") {
      guard host == nil else {
        throw CommandFailure(.usage, "--host cannot be combined with the host in \(text)")
      }
      name = text[..<colon].filter { $0 != "[" && $0 != "]" }
      digits = text[text.index(after: colon)...]
    }
    guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }),
      let number = Int(digits), (0...65_535).contains(number)
    else {
      throw CommandFailure(
        .usage, "invalid port \"\(text)\" (expected 0 to 65535, or HOST:PORT)")
    }
    guard let name, !name.isEmpty else { return .loopback(port: number) }
    guard HeaderSyntax.firstForbiddenByte(inValue: name) == nil, !name.contains("\t") else {
      throw CommandFailure(.usage, "the host to listen on contains a control character")
    }
    return .host(name, port: number)
  }

  @Sendable private static func originRemedy(_ verdict: OriginRules.Verdict) -> String? {
    switch verdict {
    case .allowed: nil
    case .refusedHost: "to allow: --allow-host NAME"
    case .refusedOrigin(let origin): "to allow: --allow-origin \(origin)"
    }
  }

  /// `--mode`, as it was typed.
  struct ModeOption: ExpressibleByArgument {
    var text: String

    init(text: String) {
      self.text = text
    }

    init?(argument: String) {
      text = argument
    }

    /// - Throws: `CommandFailure` for an unknown mode.
    func mode() throws -> Mode {
      do {
        return try Modes.parse(text)
      } catch {
        throw CommandFailure(.usage, "\(error)")
      }
    }

    /// Every mode with its sentence, for the help.
    static var summaries: String {
      Modes.all.flatMap(\.spellings).map { "\($0.text): \($0.summary)" }.joined(separator: " ")
    }

    var defaultValueDescription: String { text }
    static var allValueStrings: [String] { Modes.spellings }
  }
}
