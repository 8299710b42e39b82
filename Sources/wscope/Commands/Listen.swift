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
      "echo, broadcast (to all others) or broadcast=all (to the sender too).", valueName: "mode"),
    completion: .list(["echo", "broadcast", "broadcast=all"]))
  var mode = ModeOption(mode: .echo)

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

  @Flag(name: .shortAndLong, help: "Log nothing but what is wrong.")
  var quiet = false

  @OptionGroup(title: "Compression") var compression: CompressionOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func run(_ context: CommandContext) async throws -> ExitStatus {
    let place = try self.place()
    var server = TestServerConfiguration()
    server.mode = mode.mode
    server.origins = OriginRules(
      allowedOrigins: allowOrigin, allowedHosts: allowHost + [place.hostName].compactMap { $0 })
    guard (1...Limits.largestMessageSize).contains(maxMessage.bytes) else {
      throw CommandFailure(.usage, "--max-message must be from 1 byte to 1 GiB")
    }
    server.limits = Limits(messageSize: maxMessage.bytes)
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
    server.mostClients = maxClients ?? OpenFiles.raiseLimit() * 9 / 10
    if output.isVerbose { server.messagesToldPerSecond = .max }
    if quiet { server.messagesToldPerSecond = 0 }
    let (identity, certificate) = try self.identity()
    server.tls = identity
    server.http2 = http2
    let session = ListenSession(
      ListenConfiguration(
        place: place, server: server, certificate: certificate, threads: threads,
        portFile: portFile, isQuiet: quiet),
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

  /// `--mode`.
  struct ModeOption: ExpressibleByArgument {
    var mode: ServerMode

    init(mode: ServerMode) {
      self.mode = mode
    }

    init?(argument: String) {
      switch argument {
      case "echo": mode = .echo
      case "broadcast": mode = .broadcast(includingSender: false)
      case "broadcast=all": mode = .broadcast(includingSender: true)
      default: return nil
      }
    }

    var defaultValueDescription: String { "echo" }
    static var allValueStrings: [String] { ["echo", "broadcast", "broadcast=all"] }
  }
}
