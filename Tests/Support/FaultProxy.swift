import Glibc
import Synchronization

/// What a fault proxy does to one connection.
package struct FaultPlan: Sendable, CustomStringConvertible {
  package enum End: Sendable, Hashable {
    /// The peers end it.
    case peers
    /// FIN to both once so many bytes went one way; what they still send is read and dropped.
    case fin(after: Int)
    /// The same with RST.
    case reset(after: Int)
  }

  /// Bytes that are read and passed on at a time, at most.
  package var largestPiece: Int
  /// Before a piece is passed on, at most, in microseconds.
  package var delay: UInt32
  /// Nothing is passed on for this long, in milliseconds, once half of the bytes to the end went, or
  /// the first kilobyte.
  package var stall: UInt32
  package var end: End
  private var seed: UInt64

  /// A plan by chance, the same for the same seed; `bytes` is roughly what goes one way if nothing
  /// ends it before.
  package init(seed: UInt64, bytes: Int) {
    var random = RandomBytes(seed: seed)
    largestPiece = [5, 50, 1_000, 65_536][random.below(4)]
    // A few bytes at a time are slow enough.
    delay = largestPiece < 1_000 ? 0 : [0, 0, 300][random.below(3)]
    stall = [0, 0, 0, 30][random.below(4)]
    let kill = 1 + random.below(bytes)
    end = [.peers, .peers, .fin(after: kill), .reset(after: kill)][random.below(4)]
    self.seed = random.next()
  }

  package var description: String {
    "pieces of \(largestPiece), \(delay) us each, a stall of \(stall) ms, end: \(end)"
  }

  fileprivate var generator: RandomBytes { RandomBytes(seed: seed) }
}

/// Passes bytes between clients and a server on loopback, and does to each connection what its plan
/// says. It counts what it saw, which is what the accounts of both sides are held to.
package final class FaultProxy: Sendable {
  /// Bytes of one direction behind the HTTP head.
  package struct Way: Sendable, Equatable {
    package var received = 0
    package var forwarded = 0
  }

  /// What one connection came to.
  package struct Record: Sendable {
    package var plan: FaultPlan
    /// From the client to the server, and back.
    package var up = Way()
    package var down = Way()
    /// Whether the proxy ended it.
    package var isKilled = false
  }

  package let port: Int
  private let listener: RawSocket
  private let server: Int
  private let records: Mutex<[Record]>
  private let running = Atomic<Int>(0)

  /// Listens on a free port of 127.0.0.1; `plan` is asked for the plan of the n-th connection.
  ///
  /// - Throws: `TestPeerError`.
  package init(to server: Int, plan: @escaping @Sendable (Int) -> FaultPlan) throws {
    let listener = try RawSocket.listen()
    self.listener = listener
    self.server = server
    port = listener.port
    records = Mutex([])
    TestThread.start {
      while let client = listener.accept() { self.serve(client, plan) }
    }
  }

  /// Accepts no more, and waits for the connections to end.
  ///
  /// - Returns: what they came to, in the order in which they came.
  package func stop() -> [Record] {
    listener.wake()
    for _ in 0..<10_000 where running.load(ordering: .acquiring) > 0 { usleep(1000) }
    listener.close()
    return records.withLock { $0 }
  }

  private func serve(_ client: RawSocket, _ plan: @Sendable (Int) -> FaultPlan) {
    guard let upstream = try? RawSocket.connect(port: server) else {
      client.close()
      return
    }
    let index = records.withLock { records in
      records.append(Record(plan: plan(records.count)))
      return records.count - 1
    }
    let link = Link(client, upstream)
    running.add(2, ordering: .relaxed)
    for (from, to, way) in [(client, upstream, \Record.up), (upstream, client, \Record.down)] {
      let way = UnsafeWay(way)
      TestThread.start {
        self.pump(from, to, link, index, way.path)
        link.leave()
        self.running.subtract(1, ordering: .releasing)
      }
    }
  }

  /// Key paths to values are not known to be Sendable.
  private struct UnsafeWay: @unchecked Sendable {
    let path: WritableKeyPath<Record, Way>
    init(_ path: WritableKeyPath<Record, Way>) { self.path = path }
  }

  private func pump(
    _ from: RawSocket, _ to: RawSocket, _ link: Link, _ index: Int,
    _ way: WritableKeyPath<Record, Way>
  ) {
    let plan = records.withLock { $0[index].plan }
    var random = plan.generator
    var hasStalled = plan.stall == 0
    // The head is passed on whole: what is tested lies behind it.
    let head = from.readHead()
    guard to.send(head) else { return }
    while let bytes = from.receive(plan.largestPiece), !bytes.isEmpty {
      let before = records.withLock { records in
        records[index][keyPath: way].received += bytes.count
        return records[index][keyPath: way].forwarded
      }
      guard !link.isKilled else { continue }
      if plan.delay > 0 { usleep(UInt32(random.below(Int(plan.delay)))) }
      var most = bytes.count
      switch plan.end {
      case .fin(let limit), .reset(let limit): most = min(most, limit - before)
      case .peers: break
      }
      if !hasStalled, before + most > 1024 {
        hasStalled = true
        usleep(plan.stall * 1000)
      }
      // The other way may have ended it meanwhile; nothing is passed on behind that.
      guard most > 0, link.whileAlive({ to.send(Array(bytes.prefix(most))) }) else { continue }
      records.withLock { $0[index][keyPath: way].forwarded += most }
      switch plan.end {
      case .fin(let limit) where before + most >= limit: kill(link, index, resets: false)
      case .reset(let limit) where before + most >= limit: kill(link, index, resets: true)
      default: break
      }
    }
    if !link.isKilled { to.endOutput() }
  }

  private func kill(_ link: Link, _ index: Int, resets: Bool) {
    records.withLock { $0[index].isKilled = true }
    link.kill(resets: resets)
  }

  /// The two sockets of one connection, closed when both ways are done with them.
  private final class Link: Sendable {
    private let sockets: [RawSocket]
    private let killed = Atomic<Bool>(false)
    private let alive = Mutex<Bool>(true)
    private let users = Atomic<Int>(2)

    init(_ client: RawSocket, _ server: RawSocket) {
      sockets = [client, server]
      for socket in sockets { socket.setReadTimeout(seconds: 10) }
    }

    var isKilled: Bool { killed.load(ordering: .acquiring) }

    func whileAlive(_ body: () -> Bool) -> Bool {
      alive.withLock { alive in alive && body() }
    }

    func kill(resets: Bool) {
      alive.withLock { alive in
        alive = false
        killed.store(true, ordering: .releasing)
        for socket in sockets {
          if resets {
            socket.resetAtClose()
            socket.wake()
          } else {
            socket.endOutput()
          }
        }
      }
    }

    func leave() {
      guard users.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return }
      for socket in sockets { socket.close() }
    }
  }
}
