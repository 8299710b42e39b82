import ArgumentParser
import NIOCore
import TestServer
import WebSocketNIO
import WebSocketProtocol

/// `wscope listen`.
struct Listen: SessionCommand {
  static let configuration = CommandConfiguration(
    commandName: "listen",
    abstract: "Run a throwaway server: echo or broadcast, with a page for browsers.",
    discussion: """
      It listens on 127.0.0.1 and ::1 unless a host is given, and answers GET / with a page that \
      makes any browser a client. Port 0 takes a free port.
      """)

  @Argument(help: ArgumentHelp("[HOST:]PORT to listen on (default: 8080).", valueName: "port"))
  var port: String?

  @Option(
    help: ArgumentHelp("Listen on this address; opens the server to others.", valueName: "host"))
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

  @Option(
    help: ArgumentHelp("Write the port number to this file once bound.", valueName: "file"),
    completion: .file())
  var portFile: String?

  @Flag(help: "Serve wss with a certificate made in memory, for localhost and this host.")
  var tls = false

  @Option(
    help: ArgumentHelp("Serve wss with this certificate chain (PEM).", valueName: "file"),
    completion: .file())
  var cert: String?

  @Option(
    help: ArgumentHelp("The private key of --cert (PEM).", valueName: "file"), completion: .file())
  var key: String?

  @Flag(
    name: .customLong("http2"),
    help: "Speak HTTP/2 too (RFC 8441): by ALPN with --tls, else with clients that begin with it.")
  var http2 = false

  @Option(
    name: [.customShort("s"), .long, .customLong("protocol")],
    help: ArgumentHelp(
      "Choose this subprotocol when it is offered; may be repeated.", valueName: "name"))
  var subprotocol: [String] = []

  @Option(
    help: ArgumentHelp("Let pages of this origin connect; may be repeated.", valueName: "origin"))
  var allowOrigin: [String] = []

  @Option(
    help: ArgumentHelp("Answer requests for this host name; may be repeated.", valueName: "name"))
  var allowHost: [String] = []

  @Option(help: ArgumentHelp("Refuse messages that are larger.", valueName: "size"))
  var maxMessage = SizeOption(bytes: Limits.serverMessageSize)

  @Option(
    help: ArgumentHelp(
      "Refuse requests whose head is larger, or has a line larger than a quarter of it.",
      valueName: "size"))
  var maxHead = SizeOption(bytes: HeadLimits.standard.head)

  @Option(
    help: ArgumentHelp(
      "Close a client that does not read when more than this waits for it.", valueName: "size"))
  var maxQueue = SizeOption(bytes: 16 << 20)

  @Option(
    help: ArgumentHelp(
      "Clients at once; 503 beyond (default: nine tenths of the open-file limit).",
      valueName: "n"))
  var maxClients: Int?

  @Option(
    help: ArgumentHelp("Wait this long for the clients' Close at the end.", valueName: "duration"))
  var closeTimeout = DurationOption.seconds(5)

  @Option(help: ArgumentHelp("Event loop threads.", valueName: "n"))
  var threads = 1

  @Flag(help: "Let other processes listen on the same port; the kernel divides the clients.")
  var reusePort = false

  @Flag(
    help: """
      Count what is legal but odd in a client's frames, and log it when the client leaves: lengths in more \
      bytes than they take, empty fragments, text cut inside a character, masking keys used again.
      """)
  var lint = false

  @Flag(name: .shortAndLong, help: "Log nothing but what is wrong.")
  var quiet = false

  @OptionGroup(title: "Publishing") var publishing: PublishingOptions
  @OptionGroup(title: "Scripts and rules") var scripts: ServerScriptOptions
  @OptionGroup(title: "Faults") var faults: FaultOptions
  @OptionGroup(title: "Compression") var compression: CompressionOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func run(_ context: CommandContext) async throws -> ExitStatus {
    let place = try self.place()
    var server = TestServerConfiguration()
    server.mode = try mode?.mode() ?? .echo
    try scripts.check(hasMode: mode != nil, isStrict: strictPaths)
    if server.mode.entry.isFed, scripts.rules == "-" {
      throw CommandFailure(.usage, "standard input is already used by --rules -")
    }
    let scripting = try scripts.configuration(hasMode: mode != nil, context.environment)
    server.scripting = scripting?.scripting
    server.reportsReplies = output.isVerbose
    let feed = try publishing.feed(server.mode, maxMessage: maxMessage.bytes, isQuiet: quiet)
    server.slow = publishing.slow ?? .close
    server.keptMessages = publishing.keptMessages
    server.origins = OriginRules(
      allowedOrigins: allowOrigin, allowedHosts: allowHost + [place.hostName].compactMap { $0 })
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
      throw CommandFailure(.usage, "--subprotocol \"\(name)\" is not a token")
    }
    server.subprotocols = subprotocol
    if reusePort, unixSocket != nil {
      throw CommandFailure(.usage, "--reuse-port goes with a port, not with --unix-socket")
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
    if output.isVerbose { server.loggedMessagesPerSecond = .max }
    if quiet { server.loggedMessagesPerSecond = 0 }
    let (identity, certificate) = try self.identity()
    server.tls = identity
    server.http2 = http2
    server.lintsFrames = lint
    server.isStrictAboutPaths = strictPaths
    server.faults = try faults.plan()
    server.allowsURLFaults = !faults.noURLFaults
    let session = ListenSession(
      ListenConfiguration(
        place: place, server: server, certificate: certificate, threads: threads,
        portFile: portFile, isQuiet: quiet, faultSummary: faults.summary(server.faults),
        scripts: scripting, feed: feed),
      context)
    return await session.run()
  }

  private func identity() throws -> (ServerTLS?, SelfSignedCertificate?) {
    switch (cert, key) {
    case (let cert?, let key?):
      guard !tls else {
        throw CommandFailure(.usage, "--tls makes a certificate of its own: not with --cert")
      }
      return (try ServerTLS(certificateFile: cert, keyFile: key), nil)
    case (nil, nil):
      guard tls else { return (nil, nil) }
      let certificate = try SelfSignedCertificate()
      return (certificate.tls, certificate)
    default:
      throw CommandFailure(.usage, "--cert and --key go together")
    }
  }

  private func place() throws -> ListeningPlace {
    if let unixSocket {
      guard port == nil, host == nil else {
        throw CommandFailure(.usage, "--unix-socket goes without a port and without --host")
      }
      return .unixSocket(path: unixSocket)
    }
    let text = port ?? "8080"
    var digits = Substring(text)
    var name = host
    if let colon = text.lastIndex(of: ":") {
      guard host == nil else {
        throw CommandFailure(.usage, "the host is given twice: --host \(host ?? "") and \(text)")
      }
      name = text[..<colon].filter { $0 != "[" && $0 != "]" }
      digits = text[text.index(after: colon)...]
    }
    guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }),
      let number = Int(digits), (0...65_535).contains(number)
    else {
      throw CommandFailure(.usage, "\"\(text)\" is no port: 0 to 65535, or HOST:PORT")
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
