import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import WebSocketNIO
import WebSocketProtocol

@testable import LoadTesting

/// What a server of these tests does with a message.
enum Behavior: Sendable {
  case echo
  /// Never answers.
  case silence
  /// Answers twice.
  case twice
  /// Answers with something else.
  case other(String)
  /// Sends this on open, and then echoes.
  case greeting(String)
  /// Ends the transport of a connection at its n-th message.
  case drop(after: Int)
  /// Ends the first so many connections at their tenth message, and echoes on the others.
  case dropSome(Int)
  /// Closes at the n-th message.
  case close(CloseCode, after: Int)
  /// Answers every message of a connection but each n-th.
  case lose(every: Int)
  /// Sends something of its own before each n-th answer.
  case push(every: Int)
  /// Answers the first n messages of a connection, and then never again.
  case stall(after: Int)
  /// Answers each two messages in the wrong order.
  case swap
  /// Echoes with another last byte.
  case alter
  /// Echoes text as binary.
  case asBinary
  /// Echoes after this many milliseconds.
  case delay(Int64)
  /// Breaks the protocol at the n-th message: a frame with a reserved bit set.
  case violate(after: Int)
}

/// A server in this process with one behaviour, and a client for it.
struct LoadPeer: Sendable {
  let server: Server
  let group: MultiThreadedEventLoopGroup
  let port: Int

  /// Starts it; clients beyond `most` are refused with 503.
  ///
  /// - Throws: what binding throws.
  init(_ behavior: Behavior, most: Int = .max) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let number = Counter()
    server = try await Server.bind(
      .host("127.0.0.1", port: 0), group: group, configuration: ServerConfiguration()
    ) { request in
      let count = number.next()
      guard count <= most, case .upgrade(let upgrade) = ServerHandshake.judge(request.head) else {
        return .reply(HTTPReply(.serviceUnavailable))
      }
      return .upgrade(
        AcceptedUpgrade(upgrade) { _ in
          Actor(behavior, number: count)
        })
    }
    self.group = group
    port = server.localAddress?.port ?? 0
  }

  /// Runs a plan against it, perhaps through a proxy that listens on another port, and stops it.
  func run(
    _ plan: LoadPlan, through proxy: Int? = nil, observer: LoadObserver? = nil,
    progress: @escaping @Sendable (LoadTest, LoadProgress) -> Void = { _, _ in }
  ) async throws -> LoadResult {
    let test = LoadTest(
      plan, target: try Self.target(port: proxy ?? port),
      origin: LoadOrigin(tool: .init(version: "test", build: "test"), id: "test"))
    let result = await test.run(progress: { progress(test, $0) }, observer: observer)
    await server.stopAccepting()
    try await group.shutdownGracefully()
    return result
  }

  static func target(port: Int) throws -> LoadTarget {
    var configuration = ClientConfiguration(
      url: try WebSocketURL.parse("ws://127.0.0.1:\(port)/"))
    configuration.closeTimeout = .seconds(2)
    return LoadTarget(
      configuration: configuration,
      route: ResolvedRoute(addresses: [try SocketAddress(ipAddress: "127.0.0.1", port: port)]))
  }

  private final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    func next() -> Int { count.add(1, ordering: .relaxed).newValue }
  }
}

/// The server's end of one connection.
private final class Actor: ConnectionConsumer {
  private let behavior: Behavior
  private let number: Int
  private var handler: ConnectionHandler?
  private var count = 0
  private var held: [UInt8]?

  init(_ behavior: Behavior, number: Int) {
    self.behavior = behavior
    self.number = number
  }

  func opened(_ handler: ConnectionHandler) {
    self.handler = handler
    if case .greeting(let text) = behavior {
      try? handler.perform { machine throws(SendError) in try machine.send(.text, Array(text.utf8))
      }
    }
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    count += 1
    switch behavior {
    case .echo, .greeting: try? machine.send(kind, payload)
    case .silence: break
    case .twice:
      try? machine.send(kind, payload)
      try? machine.send(kind, payload)
    case .other(let text): try? machine.send(.text, Array(text.utf8))
    case .lose(let each): if count % each != 0 { try? machine.send(kind, payload) }
    case .push(let each):
      if count % each == 0 { try? machine.send(kind, Array("news".utf8)) }
      try? machine.send(kind, payload)
    case .stall(let most): if count <= most { try? machine.send(kind, payload) }
    case .swap:
      if let first = held.take() {
        try? machine.send(kind, payload)
        try? machine.send(kind, first)
      } else {
        held = Array(payload)
      }
    case .alter:
      var changed = Array(payload)
      changed[changed.count - 1] ^= 1
      try? machine.send(kind, changed)
    case .asBinary: try? machine.send(.binary, payload)
    case .delay(let milliseconds): answer(kind, Array(payload), after: milliseconds)
    case .drop(let most): dropOrEcho(count >= most, kind, payload, &machine)
    case .dropSome(let some): dropOrEcho(number <= some && count >= 10, kind, payload, &machine)
    case .close(let code, let most):
      if count >= most {
        try? machine.sendClose(CloseFrame(code, reason: "enough"))
      } else {
        try? machine.send(kind, payload)
      }
    case .violate(let most):
      if count >= most {
        machine.output.writeBytes([0xC1, 0x00])
      } else {
        try? machine.send(kind, payload)
      }
    }
  }

  private func answer(_ kind: MessageKind, _ payload: [UInt8], after milliseconds: Int64) {
    let handler = handler
    handler?.eventLoop?.assumeIsolated().scheduleTask(in: .milliseconds(milliseconds)) {
      try? handler?.perform { machine throws(SendError) in try machine.send(kind, payload) }
    }
  }

  private func dropOrEcho(
    _ drops: Bool, _ kind: MessageKind, _ payload: UnsafeRawBufferPointer,
    _ machine: inout ConnectionMachine
  ) {
    guard drops else {
      try? machine.send(kind, payload)
      return
    }
    let handler = handler
    handler?.eventLoop?.assumeIsolated().execute { handler?.abandon() }
  }

  func closed(_ outcome: CloseOutcome) { handler = nil }
}
