import NIOCore
import NIOPosix
import Synchronization
import TestPeers
import TestServer
import Testing
import WebSocketNIO
import WebSocketProtocol

@testable import wscope

/// SECURITY R4: every head of the corpus gets the verdict that the file says, from the server and the
/// client in this process. `Tests/Corpus/corpus.py` does the same through the binary, with two peers
/// beside it, and at every byte of a good head.
@Suite(.blocking) struct HandshakeCorpusTests {
  private static let workers = 16
  /// Heads that are larger only show that there is a limit; the script sends them.
  private static let largest = 1 << 20

  @Test func theServerAnswersEveryRequestAsExpected() async throws {
    let cases = try HandshakeCorpus("requests.txt").cases.filter { $0.bytes.count <= Self.largest }
    #expect(cases.count >= 150)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    var configuration = TestServerConfiguration()
    // What waits for more is told by the timer.
    configuration.headTimeout = .milliseconds(1500)
    let server = try await TestServer.start(
      at: .host("127.0.0.1", port: 0), group: group, configuration: configuration
    ) { _ in }
    let port = try #require(server.localAddresses.first?.port)
    let complaints = await TestThread.complaints(of: cases.count, workers: Self.workers) { number in
      let verdict = Self.ask(port, cases[number])
      return verdict == cases[number].verdict
        ? nil : "\(cases[number]): \(verdict), expected \(cases[number].verdict)"
    }
    await server.stop()
    try await group.shutdownGracefully()
    for complaint in complaints { Issue.record("\(complaint)") }
  }

  /// A status, with the text of a message behind a 101; `close`; or `more`.
  private static func ask(_ port: Int, _ head: HandshakeCorpus.Case) -> String {
    guard let socket = try? RawSocket.connect(port: port) else { return "no connection" }
    defer { socket.close() }
    socket.setReadTimeout(seconds: 120)
    socket.send(head.bytes)
    let reply = String(decoding: socket.readHead(), as: UTF8.self)
    guard reply.hasPrefix("HTTP/1.1 ") else { return reply.isEmpty ? "close" : reply }
    let status = String(reply.dropFirst(9).prefix(3))
    if status == "408" { return "more" }
    let text = head.verdict.dropFirst(4)
    guard status == "101", !text.isEmpty else { return status }
    let frame = RawPeer.frame(1, Array(text.utf8))
    return socket.receive(frame.count) == frame ? "101 \(text)" : status
  }

  @Test func theClientJudgesEveryReplyAsExpected() async throws {
    let cases = try HandshakeCorpus("responses.txt").cases.filter {
      $0.bytes.count <= Self.largest
    }
    #expect(cases.count >= 150)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    let complaints = await TestThread.complaints(of: cases.count, workers: Self.workers) { number in
      Self.judge(cases[number], on: loop).map { "\(cases[number]): \($0)" }
    }
    try await group.shutdownGracefully()
    for complaint in complaints { Issue.record("\(complaint)") }
  }

  /// What is wrong with what our client makes of a reply.
  private static func judge(_ reply: HandshakeCorpus.Case, on loop: any EventLoop) -> String? {
    guard let listener = try? RawSocket.listen(),
      let address = try? SocketAddress(ipAddress: "127.0.0.1", port: listener.port)
    else { return "no listener" }
    defer { listener.close() }
    var configuration = ClientConfiguration(
      url: WebSocketURL(security: .plain, endpoint: .host("127.0.0.1", port: listener.port)))
    configuration.subprotocols = ["chat", "superchat"]
    configuration.deflate = DeflateParameters()
    configuration.deflate?.clientMaxWindowBits = .understood
    let ending = loop.makePromise(of: FirstMessage.Ending.self)
    let opening = Client.open(configuration, addresses: [address], on: loop) { _ in
      FirstMessage(ending)
    }
    guard let socket = listener.accept() else { return "no connection" }
    defer { socket.close() }
    socket.setReadTimeout(seconds: 120)
    let accept = acceptance(of: socket.readHead())
    socket.send(reply.bytes(accept: accept))
    // A client that takes it closes at once; one that waits for more sees the end.
    socket.setReadTimeout(seconds: 0.4)
    if let close = socket.receive(100), !close.isEmpty {
      socket.send(RawPeer.frame(8, [0x03, 0xE8]))
    }
    socket.endOutput()
    do {
      _ = try opening.wait()
    } catch {
      ending.fail(error)
      guard let error = error as? ConnectError else { return "\(error)" }
      let said = Diagnostician(command: "send", configuration: configuration)
        .diagnose(error).lines.joined(separator: "\n")
      return complaint(wscope.ExitStatus(error), said, reply.verdict)
    }
    guard let end = try? ending.futureResult.wait() else { return "no end" }
    if case .failed(let violation) = end.outcome {
      return complaint(wscope.ExitStatus(end.outcome), violation.reason, reply.verdict)
    }
    let verdict = end.text.map { "open \($0)" } ?? "open"
    return verdict == reply.verdict ? nil : "\(verdict), expected \(reply.verdict)"
  }

  private static func acceptance(of request: [UInt8]) -> String {
    let field = String(decoding: RawPeer.acceptance(of: request), as: UTF8.self)
      .split(separator: "\r\n").first { $0.hasPrefix("Sec-WebSocket-Accept: ") }
    return field.map { String($0.dropFirst(22)) } ?? ""
  }

  private static func complaint(
    _ status: wscope.ExitStatus, _ said: String, _ verdict: String
  ) -> String? {
    let parts = verdict.split(separator: " ", maxSplits: 1)
    let words = parts.count > 1 ? parts[1] : ""
    guard parts.first.map({ $0 == "\(status.rawValue)" }) ?? false,
      words.isEmpty || said.contains(words)
    else { return "\(status.rawValue) \(said), expected \(verdict)" }
    return nil
  }
}

/// Closes at once, and tells of the first text that came, and of the end.
private final class FirstMessage: ConnectionConsumer {
  struct Ending: Sendable {
    var text: String?
    var outcome: CloseOutcome
  }

  private let ending: EventLoopPromise<Ending>
  private var text: String?

  init(_ ending: EventLoopPromise<Ending>) {
    self.ending = ending
  }

  func opened(_ handler: ConnectionHandler) {
    try? handler.perform { machine throws(SendError) in
      try machine.sendClose(CloseFrame(.normal))
    }
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    text = text ?? String(decoding: payload, as: UTF8.self)
  }

  func closed(_ outcome: CloseOutcome) {
    ending.succeed(Ending(text: text, outcome: outcome))
  }
}
