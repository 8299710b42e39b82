import Glibc
import NIOCore
import NIOPosix
import Synchronization
import Terminal
import TestServer
import WebSocketNIO

/// What `listen` is to do.
struct ListenConfiguration: Sendable {
  var place: ListeningPlace
  var server: TestServerConfiguration
  /// Set when the certificate was made for this run.
  var certificate: SelfSignedCertificate?
  var threads: Int
  var portFile: String?
  var isQuiet: Bool
}

/// `listen`: binds, says so, logs until a signal comes, and says goodbye to every client.
final class ListenSession: Sendable {
  private let configuration: ListenConfiguration
  private let context: CommandContext
  private let untold = Atomic<Int>(0)

  init(_ configuration: ListenConfiguration, _ context: CommandContext) {
    self.configuration = configuration
    self.context = context
  }

  func run() async -> ExitStatus {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.threads)
    // A log that nobody reads must not stop the server, nor eat its memory.
    let (events, log) = AsyncStream.makeStream(
      of: ServerEvent.self, bufferingPolicy: .bufferingOldest(4096))
    let server: TestServer
    do {
      server = try await TestServer.start(
        at: configuration.place, group: group, configuration: configuration.server
      ) { event in
        if case .dropped = log.yield(event) { self.untold.add(1, ordering: .relaxed) }
      }
      try tellReady(server)
    } catch let failure as CommandFailure {
      context.explain(Diagnosis(cause: failure.words, details: failure.details))
      return failure.status
    } catch {
      explain(error)
      return .cannotListen
    }
    let logging = Task { await self.log(events) }
    var isStopping = false
    for await signal in context.signals.events {
      guard [.interrupt, .terminate, .hangup].contains(signal) else { continue }
      if isStopping { Process.exit(signal == .interrupt ? .interrupted : .terminated) }
      isStopping = true
      Task {
        await server.stop()
        log.finish()
        await logging.value
        Process.exit(.ok)
      }
    }
    return .ok
  }

  private func log(_ events: AsyncStream<ServerEvent>) async {
    let lines = ServerLog(style: context.style)
    for await event in events {
      let missed = untold.exchange(0, ordering: .relaxed)
      if missed > 0 { context.inform("\(missed) events were not logged: nobody read the log") }
      if configuration.isQuiet, !Self.isWrong(event) { continue }
      context.console.note(lines.line(event))
    }
  }

  private static func isWrong(_ event: ServerEvent) -> Bool {
    switch event {
    case .refused, .acceptFailed: true
    case .opened, .message, .closed, .more: false
    }
  }

  // MARK: Words

  private func tellReady(_ server: TestServer) throws {
    let secure = configuration.server.tls != nil
    let mode: String =
      switch configuration.server.mode {
      case .echo: "echo"
      case .broadcast(let includingSender): includingSender ? "broadcast=all" : "broadcast"
      }
    if let port = server.localAddresses.first?.port, let file = configuration.portFile {
      try FileContents.write("\(port)\n", to: file)
    }
    let (ws, http) = secure ? ("wss", "https") : ("ws", "http")
    let places = server.localAddresses.map { Diagnostician.text($0) }
    switch configuration.place {
    case .unixSocket(let path):
      context.console.note("listening on \(ws)+unix:\(path):/  \(mode)")
    case .loopback, .host:
      let urls = places.map { "\(ws)://\($0)/" }.joined(separator: " and ")
      context.console.note("listening on \(context.style(.bold, urls))  \(mode)")
      context.inform("page for browsers: \(http)://\(places.first ?? "")/")
    }
    if case .host(let name, _) = configuration.place, !Self.isLoopback(name) {
      context.warn("reachable from other machines at \(places.joined(separator: ", "))")
    }
    if let certificate = configuration.certificate, let place = places.first {
      context.inform(
        "certificate for localhost, made for this run, SHA-256 \(certificate.fingerprint)")
      // Who pins the key needs nobody's word for the certificate.
      let pin = certificate.tls.pin.map { " --pin \($0)" } ?? ""
      context.inform("try: wscope connect --insecure\(pin) \(ws)://\(place)/")
    }
  }

  private static func isLoopback(_ name: String) -> Bool {
    name == "localhost" || name == "::1" || name.hasPrefix("127.")
  }

  private func explain(_ error: any Error) {
    let place: String =
      switch configuration.place {
      case .loopback(let port): "port \(port)"
      case .host(let name, let port): "\(name):\(port)"
      case .unixSocket(let path): path
      }
    switch (error as? IOError)?.errnoCode {
    case EADDRINUSE:
      context.explain(
        Diagnosis(cause: "\(place) is in use", details: ["try: wscope listen 0"]))
    case EACCES:
      context.explain(
        Diagnosis(
          cause: "not permitted to listen on \(place)",
          details: ["hint: ports below 1024 need privileges"]))
    case EADDRNOTAVAIL:
      context.explain(Diagnosis(cause: "\(place) is no address of this machine"))
    case let errno?:
      context.explain(
        Diagnosis(cause: "cannot listen on \(place): \(String(cString: strerror(errno)))"))
    case nil:
      if case ConnectError.unresolved(let host, let reason) = error {
        context.explain(Diagnosis(cause: "cannot resolve \(host): \(reason)"))
      } else {
        context.explain(Diagnosis(cause: "cannot listen on \(place): \(error)"))
      }
    }
  }
}
