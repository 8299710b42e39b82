import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import TestPeers
import Testing
import WebSocketNIO
import WebSocketProtocol

/// SECURITY R21 for the core: on every connection, whatever happens to it, what one side sent is what
/// the other received and what was dropped on the way, in frames and in bytes; and both agree with
/// what a proxy between them has seen. The number of a connection is its seed.
@Suite(.blocking) struct AccountingTests {
  private static let connections = 160
  private static let atOnce = 20
  private static let messages = 40

  @Test(arguments: Road.allCases)
  func framesAndBytesAddUpThroughAFaultyNetwork(_ road: Road) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    let loops = try road.makeLoops()
    var configuration = ServerConfiguration()
    configuration.loops = loops
    let books = Books()
    let server = try await Server.bind(
      .host("127.0.0.1", port: 0), group: group, configuration: configuration
    ) { request in
      guard case .upgrade(let upgrade) = ServerHandshake.judge(request.head),
        let number = Int(request.head.uri.dropFirst())
      else { return .reply(HTTPReply(.badRequest)) }
      return .upgrade(
        AcceptedUpgrade(upgrade) { _ in
          Accountant(number, sends: 0, books.noteServer)
        })
    }
    let serverPort = try #require(server.localAddress?.port)
    var records: [FaultProxy.Record] = []
    for first in stride(from: 0, to: Self.connections, by: Self.atOnce) {
      let numbers = first..<first + Self.atOnce
      // A proxy for each: the order in which one would see several is not theirs.
      let proxies = try numbers.map { number in
        try FaultProxy(to: serverPort) { _ in FaultPlan(seed: UInt64(number), bytes: 30_000) }
      }
      for (number, proxy) in zip(numbers, proxies) {
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: proxy.port)
        var url = WebSocketURL(security: .plain, endpoint: .host("127.0.0.1", port: proxy.port))
        url.target = "/\(number)"
        _ = try await Client.open(
          ClientConfiguration(url: url), addresses: [address], on: loop,
          movingTo: loops?.all.first
        ) { _ in Accountant(number, sends: Self.messages, books.noteClient) }.get()
      }
      for number in numbers { try await books.wait(for: number) }
      records += proxies.flatMap { $0.stop() }
    }
    await server.stopAccepting()
    loops?.stop()
    try await group.shutdownGracefully()
    #expect(records.count == Self.connections)
    for (number, record) in records.enumerated() {
      for complaint in books.complaints(of: number, record) {
        Issue.record("connection \(number), \(record.plan): \(complaint)")
      }
    }
    // The plans are no use if they do nothing, or end everything.
    let killed = records.count { $0.isKilled }
    #expect((20...140).contains(killed), "\(killed) killed")
  }
}

/// One side of a connection: sends numbered messages of all sizes, or echoes, and closes when all is
/// back.
private final class Accountant: ConnectionConsumer {
  struct Account: Sendable {
    var traffic: Traffic
    var outcome: CloseOutcome
    /// Bytes that had been put out at the end of each frame.
    var frameEnds: [UInt64]
    /// Messages that came in another order than they were sent, or changed.
    var wrong: Int
  }

  private let number: Int
  private let sends: Int
  private let note: @Sendable (Int, Account) -> Void
  private var handler: ConnectionHandler?
  private var next = 0
  private var expected = 0
  private var wrong = 0
  private var frameEnds: [UInt64] = []

  init(_ number: Int, sends: Int, _ note: @escaping @Sendable (Int, Account) -> Void) {
    self.number = number
    self.sends = sends
    self.note = note
  }

  func opened(_ handler: ConnectionHandler) {
    self.handler = handler
    try? handler.perform { machine throws(SendError) in
      for _ in 0..<min(3, sends) { try send(&machine) }
    }
  }

  /// A message whose content and size follow from its number.
  private static func message(_ number: Int) -> [UInt8] {
    let size = [1, 20, 125, 126, 700, 3000][number % 6]
    return (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
  }

  private func send(_ machine: inout ConnectionMachine) throws(SendError) {
    try machine.send(.binary, Self.message(next))
    next += 1
    frameEnds.append(machine.traffic.wireOut)
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    if !payload.elementsEqual(Self.message(expected)) { wrong += 1 }
    expected += 1
    guard sends > 0 else {
      try? machine.send(kind, payload)
      frameEnds.append(machine.traffic.wireOut)
      return
    }
    do throws(SendError) {
      if next < sends { try send(&machine) }
      if expected == sends { try machine.sendClose(CloseFrame(.normal)) }
    } catch {}
    if expected == sends { frameEnds.append(machine.traffic.wireOut) }
  }

  func received(control step: Step, _ machine: inout ConnectionMachine) {
    // The answer to a Close is a frame too.
    if machine.traffic.wireOut > frameEnds.last ?? 0 { frameEnds.append(machine.traffic.wireOut) }
  }

  func closed(_ outcome: CloseOutcome) {
    note(
      number,
      Account(
        traffic: handler?.traffic ?? Traffic(), outcome: outcome, frameEnds: frameEnds, wrong: wrong
      ))
    handler = nil
  }
}

/// The accounts of both sides of all connections.
private final class Books: Sendable {
  private let clients = Mutex<[Int: Accountant.Account]>([:])
  private let servers = Mutex<[Int: Accountant.Account]>([:])

  func noteClient(_ number: Int, _ account: Accountant.Account) {
    clients.withLock { $0[number] = account }
  }

  func noteServer(_ number: Int, _ account: Accountant.Account) {
    servers.withLock { $0[number] = account }
  }

  private struct NoEnd: Error {
    var number: Int
  }

  func wait(for number: Int) async throws {
    for _ in 0..<4_000 {
      if clients.withLock({ $0[number] }) != nil, servers.withLock({ $0[number] }) != nil {
        return
      }
      try await Task.sleep(for: .milliseconds(5))
    }
    throw NoEnd(number: number)
  }

  func complaints(of number: Int, _ record: FaultProxy.Record) -> [String] {
    guard let client = clients.withLock({ $0[number] }),
      let server = servers.withLock({ $0[number] })
    else { return ["an account is missing"] }
    return complaints("up", client, record.up, server, record)
      + complaints("down", server, record.down, client, record)
  }

  private func complaints(
    _ name: String, _ sender: Accountant.Account, _ way: FaultProxy.Way,
    _ receiver: Accountant.Account, _ record: FaultProxy.Record
  ) -> [String] {
    var complaints: [String] = []
    func check(_ holds: Bool, _ words: String) {
      if !holds { complaints.append("\(name): \(words)") }
    }
    let sent = sender.traffic.wireOut
    let received = receiver.traffic.wireIn + receiver.traffic.discarded
    let dropped = Int(sent) - Int(received)
    check(receiver.wrong == 0, "\(receiver.wrong) messages were not as they were sent")
    check(sender.frameEnds.last ?? 0 == sent, "frames of \(sender.frameEnds) are not \(sent) bytes")
    check(UInt64(sender.frameEnds.count) == sender.traffic.framesOut, "\(sender.traffic)")
    check(dropped >= 0, "\(received) bytes received, \(sent) sent")
    check(way.received <= sent, "the proxy got \(way.received) of \(sent) bytes")
    check(received <= way.forwarded, "\(received) received, the proxy passed on \(way.forwarded)")
    // A frame is received when its last byte is: no fewer, no more.
    let whole = sender.frameEnds.count { $0 <= receiver.traffic.wireIn }
    check(
      receiver.traffic.framesIn == whole,
      "\(receiver.traffic.framesIn) frames in \(receiver.traffic.wireIn) bytes, sent were \(whole)")
    if record.isKilled {
      // Behind an orderly end everything that was passed on has been heard.
      if case .fin = record.plan.end {
        check(
          received == way.forwarded, "\(received) received, the proxy passed on \(way.forwarded)")
      }
      check(receiver.outcome.isLost, "\(receiver.outcome)")
    } else {
      check(dropped == 0, "\(dropped) bytes dropped with nobody to drop them")
      check(receiver.traffic.framesIn == sender.traffic.framesOut, "\(receiver.traffic)")
      check(!receiver.outcome.isLost, "\(receiver.outcome)")
    }
    return complaints
  }
}

extension CloseOutcome {
  fileprivate var isLost: Bool { if case .lost = self { true } else { false } }
}
