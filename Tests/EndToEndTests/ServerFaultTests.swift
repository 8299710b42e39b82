import Glibc
import TestPeers
import Testing

/// Faults of `listen --fault` and `?fault=`, as clients meet them.
@Suite(.blocking) struct ServerFaultTests {
  /// On the ways that bytes travel: a socket of our own, a channel, TLS, a stream of HTTP/2.
  static let transports: [(listen: [String], send: [String])] = [
    ([], []), (["--http2"], []), (["--http2"], ["--http2"]), (["--tls"], ["--insecure"]),
  ]

  private static func url(_ listener: Listener, _ options: [String]) -> String {
    "\(options.contains("--tls") ? "wss" : "ws")://localhost:\(listener.port)/"
  }

  @Test(arguments: transports.indices) func theHandshakeIsLate(_ index: Int) throws {
    let way = Self.transports[index]
    let listener = try Listener(way.listen + ["--fault", "slow-open=300ms"])
    let sent = try Wscope.run(["send", Self.url(listener, way.listen), "hi", "-1"] + way.send)
    #expect(sent.outputText == "hi\n", "\(sent.errorText)")
    #expect(sent.duration >= .milliseconds(300))
    _ = try listener.process.readLine(from: .standardError) {
      $0.contains("#1 fault slow-open=300ms")
    }
  }

  /// What a client sends before its late 101 waits for it.
  @Test func nothingIsLostBeforeALateReply() throws {
    let listener = try Listener(["--no-compress"])
    let client = try RawClient(port: listener.port)
    let request = RawClient.request(path: "/?fault=slow-open=200ms")
    let big = [UInt8](repeating: 7, count: 60_000)
    client.send(Array(request.utf8) + RawClient.frame(1, Array("early".utf8)))
    client.send(RawClient.frame(2, big) + RawClient.frame(2, big))
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
    #expect(client.read(7) == RawPeer.frame(1, Array("early".utf8)))
    for _ in 0..<2 { #expect(client.read(60_004).suffix(60_000).elementsEqual(big)) }
  }

  /// A client that leaves while it waits gives its slot back.
  @Test func aClientMayLeaveBeforeItsReply() throws {
    let listener = try Listener(["--max-clients", "1"])
    do {
      let client = try RawClient(port: listener.port)
      client.send(RawClient.request(path: "/?fault=slow-open=100ms"))
    }
    let end = ContinuousClock.now + .seconds(10)
    var sent = try Wscope.run(["send", listener.url, "hi", "-1"])
    while sent.exitCode != 0, ContinuousClock.now < end {
      sent = try Wscope.run(["send", listener.url, "hi", "-1"])
    }
    #expect(sent.outputText == "hi\n", "\(sent.errorText)")
  }

  @Test(arguments: transports.indices) func theConnectionIsReset(_ index: Int) throws {
    let way = Self.transports[index]
    let listener = try Listener(way.listen + ["--fault", "rst,after=2"])
    let sent = try Wscope.run(
      ["send", Self.url(listener, way.listen), "a", "b", "c", "--count", "3"] + way.send)
    #expect(sent.outputText == "a\nb\n", "\(sent.errorText)")
    #expect(sent.exitCode == 56, "\(sent.errorText)")
    _ = try listener.process.readLine(from: .standardError) { $0.contains("#1 fault rst") }
    let end = try listener.process.readLine(from: .standardError) { $0.contains("#1 connection") }
    #expect(end.contains("2 out"))
  }

  @Test func aResetIsAResetAtOnceAndAfterATime() throws {
    let listener = try Listener()
    for fault in ["rst", "rst,after=0", "rst,after=50ms"] {
      let sent = try Wscope.run(["connect", "\(listener.url)?fault=\(fault)", "-w", "10"])
      #expect(sent.exitCode == 56, "\(fault): \(sent.errorText)")
      #expect(sent.errorText.contains("TCP reset by the peer"), "\(fault): \(sent.errorText)")
    }
  }

  /// The reset may come at any moment of the client's opening, in the middle of its first write too.
  @Test func aClientEndsWheneverItIsReset() throws {
    let listener = try Listener(["-q", "--fault", "rst"])
    for _ in 0..<40 {
      let sent = try Wscope.run(["send", listener.url, "hi", "-1"])
      #expect(sent.exitCode == 56, "\(sent.errorText)")
    }
  }

  @Test(arguments: transports.indices) func messagesAreLate(_ index: Int) throws {
    let way = Self.transports[index]
    let listener = try Listener(way.listen + ["--fault", "delay=200ms~100ms", "--seed", "7"])
    let sent = try Wscope.run(
      ["send", Self.url(listener, way.listen), "a", "b", "c", "--count", "3"] + way.send)
    #expect(sent.outputText == "a\nb\nc\n", "\(sent.errorText)")
    #expect(sent.duration >= .milliseconds(100))
  }

  @Test func theUpgradeIsRefused() throws {
    let listener = try Listener(["--fault", "refuse=503,conn=1-2"])
    for _ in 0..<2 {
      let sent = try Wscope.run(["send", listener.url, "hi"])
      #expect(sent.exitCode == 22 && sent.errorText.contains("503"), "\(sent.errorText)")
      _ = try listener.process.readLine(from: .standardError) {
        $0.contains("! 503 to 127.0.0.1:") && $0.contains("fault refuse=503")
      }
    }
    #expect(try Wscope.run(["send", listener.url, "hi", "-1"]).outputText == "hi\n")
  }

  @Test func anUpgradeMayEndWithoutAReply() throws {
    let listener = try Listener(["--fault", "refuse,conn=1"])
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request())
    #expect(client.readToEnd() == [])
    _ = try listener.process.readLine(from: .standardError) {
      $0.contains("! closed 127.0.0.1:") && $0.contains("fault refuse")
    }
    #expect(try Wscope.run(["send", listener.url, "hi", "-1"]).outputText == "hi\n")
  }

  /// More than the kernel holds for a connection.
  private static let flood = Array(
    repeatElement(RawClient.frame(2, [UInt8](repeating: 1, count: 60_000)), count: 400).joined())
  private static let ping = RawClient.frame(9, [0x70])
  private static let hi = RawClient.frame(1, Array("hi".utf8))
  private static let echo: [UInt8] = [0x81, 2, 0x68, 0x69]

  @Test func pingsAreNotAnswered() throws {
    let listener = try Listener(["--no-compress", "--fault", "no-pong"])
    let client = try Self.open(listener, "/")
    _ = try listener.process.readLine(from: .standardError) { $0.contains("fault no-pong") }
    client.send(Self.ping + Self.hi)
    #expect(client.read(4) == Self.echo)
  }

  /// Pings, some of which may be lost, until one is answered.
  @Test(arguments: ["no-pong,for=300ms", "stall,for=300ms", "no-read,for=300ms"])
  func aConditionEnds(_ fault: String) throws {
    let listener = try Listener(["--no-compress", "--fault", fault])
    let client = try Self.open(listener, "/")
    _ = try listener.process.readLine(from: .standardError) { $0.contains("fault ") }
    let end = ContinuousClock.now + .seconds(100)
    repeat { client.send(Self.ping) } while client.isSilent(for: 0.05) && ContinuousClock.now < end
    #expect(client.read(3) == [0x8A, 1, 0x70])
  }

  @Test func aCloseIsAnsweredLate() throws {
    let listener = try Listener(["--no-compress", "--fault", "slow-close=1500ms"])
    let client = try Self.open(listener, "/")
    let start = ContinuousClock.now
    client.send(Self.hi + RawClient.frame(8, [0x03, 0xE8]))
    #expect(client.readToEnd() == Self.echo + [0x88, 2, 0x03, 0xE8])
    #expect(ContinuousClock.now - start >= .milliseconds(1500))
  }

  @Test func aStalledServerSaysNothing() throws {
    let listener = try Listener(["--no-compress", "--fault", "stall,after=1,conn=1"])
    let client = try Self.open(listener, "/")
    client.send(Self.hi)
    #expect(client.read(4) == Self.echo)
    _ = try listener.process.readLine(from: .standardError) { $0.contains("fault stall") }
    client.send(Self.hi + Self.ping + RawClient.frame(8, [0x03, 0xE8]))
    #expect(client.isSilent(for: 0.3))
    let sent = try Wscope.run(
      ["send", "\(listener.url)?fault=stall", "hi", "-1", "--wait", "300ms"])
    #expect(sent.exitCode == 28, "\(sent.errorText)")
  }

  @Test func aServerThatDoesNotReadFillsTheClient() throws {
    let listener = try Listener(["--mode", "sink", "--fault", "no-read"])
    let client = try Self.open(listener, "/")
    _ = try listener.process.readLine(from: .standardError) { $0.contains("fault no-read") }
    #expect(client.sendUntilFull(Self.flood) < Self.flood.count)
  }

  /// A behaviour that reads again by itself does not end the fault.
  @Test func aFaultDecidesWhetherItReads() throws {
    let listener = try Listener(["--no-compress"])
    let client = try Self.open(listener, "/slow-reader?rate=100M/s&fault=no-read,after=1")
    client.send(Self.hi)
    #expect(client.read(4) == Self.echo)
    _ = try listener.process.readLine(from: .standardError) { $0.contains("fault no-read") }
    #expect(client.sendUntilFull(Self.flood) < Self.flood.count)
  }

  @Test(arguments: ["throttle=40KB/s", "slice=64~63,gap=1ms", "slice=100&fault=throttle=40KB/s"])
  func aSlowPathLosesNothing(_ fault: String) throws {
    let listener = try Listener(["--no-compress"])
    let client = try Self.open(listener, "/?fault=\(fault)")
    let payload = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let start = ContinuousClock.now
    client.send(RawClient.frame(2, payload) + Self.ping)
    #expect(client.read(20_004).suffix(20_000).elementsEqual(payload))
    #expect(client.read(3) == [0x8A, 1, 0x70])
    // 20 000 bytes at 40 KiB a second, or some 300 pieces a millisecond apart.
    #expect(ContinuousClock.now - start >= .milliseconds(150))
  }

  /// Above the mark, the server does not read from the client either.
  @Test func aThrottledClientHasBackpressure() throws {
    let listener = try Listener(["--no-compress", "--fault", "throttle=1KB/s"])
    let client = try Self.open(listener, "/")
    #expect(client.sendUntilFull(Self.flood) < Self.flood.count)
  }

  private static func open(_ listener: Listener, _ path: String) throws -> RawClient {
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request(path: path))
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
    return client
  }

  @Test(
    arguments: [
      // Lost until a pong shows that the message has been handled.
      ("drop=100%", [0x8A, 0]), ("drop=100%,after=1", [0x81, 2, 0x68, 0x69, 0x8A, 0]),
      ("dup=100%", [0x81, 2, 0x68, 0x69, 0x81, 2, 0x68, 0x69, 0x8A, 0]),
      ("dup=0%", [0x81, 2, 0x68, 0x69, 0x8A, 0]),
      ("corrupt=0%", [0x81, 2, 0x68, 0x69, 0x8A, 0]),
      ("fragment=1", [0x01, 1, 0x68, 0x80, 1, 0x69, 0x8A, 0]),
      ("fragment=4KB", [0x81, 2, 0x68, 0x69, 0x8A, 0]),
      ("close=1011", [0x88, 2, 0x03, 0xF3]), ("close=1005,after=20ms", [0x88, 0]),
      ("close=4000,after=1", [0x81, 2, 0x68, 0x69]),
    ] as [(String, [UInt8])])
  func whatIsOnTheWire(_ fault: String, _ bytes: [UInt8]) throws {
    let listener = try Listener(["--no-compress"])
    let client = try Self.open(listener, "/?fault=\(fault)")
    // A Close at once or after a time is the first that comes.
    if !fault.hasPrefix("close=10") {
      let message = RawClient.frame(1, Array("hi".utf8))
      // One before the loss begins, and one that is lost.
      client.send((fault == "drop=100%,after=1" ? message : []) + message + RawClient.frame(9, []))
    }
    #expect(client.read(bytes.count) == bytes)
    if fault.hasPrefix("close=4") {
      client.send(RawClient.frame(8, [0x0F, 0xA0]))
      #expect(client.readToEnd().suffix(4) == [0x88, 2, 0x0F, 0xA0])
    }
    let name = fault.split(separator: ",").first.map(String.init) ?? ""
    _ = try listener.process.readLine(from: .standardError) { $0.contains("#1 fault \(name)") }
  }

  @Test func oneByteOfAMessageIsChanged() throws {
    let listener = try Listener(["--no-compress", "--fault", "corrupt=100%", "--seed", "5"])
    let client = try Self.open(listener, "/")
    let sent = [UInt8](repeating: 0x61, count: 100)
    for _ in 0..<20 {
      client.send(RawClient.frame(2, sent))
      let received = client.read(102)
      #expect(received.starts(with: [0x82, 100]))
      #expect(zip(received.dropFirst(2), sent).count { $0 != $1 } == 1)
    }
  }

  /// The delayed message keeps its fragments.
  @Test func faultsOfAMessageAreCombined() throws {
    let listener = try Listener(["--no-compress", "--fault", "delay=1ms", "--fault", "fragment=1"])
    let client = try Self.open(listener, "/")
    client.send(RawClient.frame(1, Array("hi".utf8)))
    #expect(client.read(6) == [0x01, 1, 0x68, 0x80, 1, 0x69])
  }

  /// A message that a fault delays comes before the Close that follows it.
  @Test func aCloseWaitsForLateMessages() throws {
    let listener = try Listener(["--no-compress", "--fault", "delay=50ms"])
    let client = try Self.open(listener, "/?fault=close=1011,after=1")
    client.send(RawClient.frame(1, [0x61]) + RawClient.frame(1, [0x62]))
    #expect(client.read(7) == [0x81, 1, 0x61, 0x88, 2, 0x03, 0xF3])
  }

  @Test(arguments: transports.indices) func theConnectionEndsWithoutAClose(_ index: Int) throws {
    let way = Self.transports[index]
    let listener = try Listener(way.listen)
    for fault in ["fin,after=1", "limit=1k", "life=50ms"] {
      let sent = try Wscope.run(
        ["connect", "\(Self.url(listener, way.listen))?fault=\(fault)", "-w", "30"] + way.send,
        // Without a message it waits until its time is over.
        input: fault.hasPrefix("life") ? nil : (0..<200).map { "message \($0)\n" }.joined())
      #expect(sent.exitCode == 56, "\(fault): \(sent.errorText)")
    }
  }

  @Test func aLimitIsExact() throws {
    let listener = try Listener(["--no-compress", "--fault", "limit=100"])
    let client = try Self.open(listener, "/")
    _ = try listener.process.readLine(from: .standardError) { $0.contains("#1 fault limit=100") }
    client.send(RawClient.frame(2, [UInt8](repeating: 1, count: 60)))
    #expect(client.read(62).count == 62)
    client.send(RawClient.frame(2, [UInt8](repeating: 1, count: 60)))
    // The reset may overtake what was sent right before it.
    #expect(client.readToEnd().count <= 38)
  }

  /// Messages of others are late too, and for the client with the fault only.
  @Test(arguments: [1, 3]) func aBroadcastIsLateForOneClient(threads: Int) throws {
    let listener = try Listener(
      ["--mode", "broadcast", "--threads", "\(threads)", "--fault", "delay=300ms,path=/slow"])
    let ears = try ["slow", "fast"].map { path in
      let ear = try Wscope.start(["connect", "\(listener.url)\(path)", "-N1", "-v"])
      _ = try ear.readLine(from: .standardError) { $0.contains("connected") }
      return ear
    }
    let clock = ContinuousClock()
    let start = clock.now
    _ = try Wscope.run(["send", listener.url, "news", "--wait", "0"])
    #expect(try ears[1].wait().outputText == "news\n")
    #expect(try ears[0].wait().outputText == "news\n")
    #expect(clock.now - start >= .milliseconds(300))
  }

  @Test func aFaultEndsAfterItsTime() throws {
    let listener = try Listener(["--no-compress", "--fault", "delay=10m,after=1,for=1ms"])
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request())
    _ = client.readHead()
    // The fault begins after the first and would hold the second for ten minutes; then its time is over.
    client.send(RawClient.frame(1, [0x61]))
    #expect(client.read(3) == [0x81, 1, 0x61])
    usleep(20_000)
    client.send(RawClient.frame(1, [0x62]))
    #expect(client.read(3) == [0x81, 1, 0x62])
  }

  @Test func theReadyLineTellsTheSeed() throws {
    let process = try Wscope.start(
      ["listen", "0", "--fault", "rst,conn=1-3", "--fault", "delay=1s", "--seed", "4711"],
      hasInput: false)
    let line = try process.readLine(from: .standardError) { $0.contains("* faults") }
    #expect(line.contains("* faults: rst,conn=1-3; delay=1s  seed 4711"))
    process.signal(SIGINT)
    #expect(try process.wait().exitCode == 0)
  }

  /// One seed, any number of threads: the same faults for each connection.
  @Test func aSeedRepeatsItself() throws {
    func exits(threads: Int) throws -> [Int32?] {
      let listener = try Listener(
        ["--threads", "\(threads)", "--fault", "rst,p=50%", "--seed", "11"])
      return try (0..<12).map { _ in
        try Wscope.run(["send", listener.url, "hi", "-1"]).exitCode
      }
    }
    let one = try exits(threads: 1)
    #expect(Set(one) == [0, 56])
    #expect(try exits(threads: 3) == one)
  }

  @Test(arguments: [
    (["--fault", "dely"], "--fault: unknown fault \"dely\"; did you mean delay?"),
    (["--fault", "rst,for=1s"], "--fault rst: for= is not valid with rst"),
    (["--fault", "drop=5"], "--fault drop: invalid value \"5\" (expected 5% or 0.05)"),
    (["--fault", "refuse=99"], "--fault refuse: invalid value \"99\" (expected a status from 200"),
    (["--seed", "-1"], "--seed"), (["--mode", "eco"], "unknown mode \"eco\"; did you mean echo?"),
  ])
  func mistakesEndBeforeAnythingIsBound(_ options: [String], _ said: String) throws {
    let finished = try Wscope.run(["listen", "0"] + options)
    #expect(finished.exitCode == 2)
    #expect(finished.errorText.contains(said), "\(finished.errorText)")
  }

  @Test func faultsOfURLsCanBeOff() throws {
    let listener = try Listener(["--no-url-faults"])
    let sent = try Wscope.run(["send", "\(listener.url)?fault=rst", "hi", "-1"])
    #expect(sent.outputText == "hi\n")
  }
}
