import LoadTesting
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Terminal
import TestServer
import WebSocketNIO

/// Serves `GET /metrics` during a run of `bench`, on a thread of its own: a scrape reads the last totals of
/// the run and asks nothing of its event loops.
final class PrometheusEndpoint: Sendable {
  /// Where to listen.
  struct Address: Hashable, Sendable {
    /// A name or an address without brackets; nil for loopback.
    var host: String?
    /// 0 for any free port.
    var port: Int
  }

  private struct State {
    var totals: LoadTotals
    var isOver = false
  }

  private let subject: PrometheusText.Subject
  private let isOpen: Bool
  private let state: Mutex<State>
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  private let scrapes: AsyncStream<Void>
  private let scraped: AsyncStream<Void>.Continuation
  private let servers = Mutex<[Server]>([])

  /// Begins to listen.
  ///
  /// - Parameters:
  ///   - address: Where to listen.
  ///   - plan: The plan of the run.
  ///   - subject: What the figures are of.
  /// - Throws: `CommandFailure` if it cannot listen there.
  init(_ address: Address, _ plan: LoadPlan, _ subject: PrometheusText.Subject) async throws {
    self.subject = subject
    isOpen = address.host != nil
    state = Mutex(State(totals: LoadTotals(before: plan)))
    (scrapes, scraped) = AsyncStream.makeStream(of: Void.self)
    do {
      let first = try await bind(address.host ?? "127.0.0.1", address.port)
      servers.withLock { $0 = [first] }
    } catch {
      try? await group.shutdownGracefully()
      let name = address.host.map { $0.contains(":") ? "[\($0)]" : $0 } ?? ""
      let reason = (error as? IOError).map { SystemError(code: $0.errnoCode).reason } ?? "\(error)"
      throw CommandFailure(.cannotListen, "cannot listen on \(name):\(address.port): \(reason)")
    }
    // A machine without IPv6, or with another program on that port of ::1, has IPv4 alone.
    guard address.host == nil, let port = self.port,
      let second = try? await bind("::1", port)
    else { return }
    servers.withLock { $0.append(second) }
  }

  private func bind(_ host: String, _ port: Int) async throws -> Server {
    try await Server.bind(
      .host(host, port: port), group: group, configuration: ServerConfiguration()
    ) { [weak self] request in
      self?.answer(request) ?? .reply(HTTPReply(.serviceUnavailable))
    }
  }

  /// The addresses that it listens on.
  var localAddresses: [SocketAddress] { servers.withLock { $0.compactMap(\.localAddress) } }

  private var port: Int? { localAddresses.first?.port }

  /// Takes the totals of a second.
  func update(_ totals: LoadTotals) { state.withLock { $0.totals = totals } }

  private func answer(_ request: HTTPRequest) -> HTTPAnswer {
    // A page in a browser must not read the figures of a developer's machine (SECURITY R12).
    guard isOpen || OriginRules().judge(request.head.headers) == .allowed else {
      return .reply(HTTPReply(.forbidden, text: "the Host or Origin is not this machine"))
    }
    guard request.head.uri.prefix(while: { $0 != "?" }) == "/metrics" else {
      return .reply(HTTPReply(.notFound, text: "only /metrics is here"))
    }
    guard [.GET, .HEAD].contains(request.head.method) else {
      return .reply(
        HTTPReply(.methodNotAllowed, text: "use GET", headers: [("Allow", "GET, HEAD")]))
    }
    let current = state.withLock { $0 }
    if current.isOver { scraped.yield() }
    return .reply(
      HTTPReply(
        .ok,
        headers: [
          ("Content-Type", PrometheusText.contentType), ("Cache-Control", "no-store"),
          ("X-Content-Type-Options", "nosniff"),
        ],
        body: Array(PrometheusText(subject, current.totals).text.utf8)))
  }

  /// Serves the totals of the whole run from now on.
  func finish(_ report: LoadReport) {
    let totals = LoadTotals(report)
    state.withLock { $0 = State(totals: totals, isOver: true) }
  }

  /// Waits until a scrape that began after `finish` has been answered.
  ///
  /// - Parameter limit: The longest time to wait, in nanoseconds.
  func lastScrape(within limit: Int64) async {
    let scrapes = scrapes
    await withTaskGroup(of: Void.self) { group in
      group.addTask { for await _ in scrapes { return } }
      group.addTask { try? await Task.sleep(for: .nanoseconds(limit)) }
      await group.next()
      group.cancelAll()
    }
  }

  /// Stops listening, after the replies that have begun.
  func stop() async {
    for server in servers.withLock({ $0 }) { await server.stopAccepting() }
    // The reply is made on this loop, and written before the next task of it.
    try? await group.next().submit {}.get()
    try? await group.shutdownGracefully()
  }
}
