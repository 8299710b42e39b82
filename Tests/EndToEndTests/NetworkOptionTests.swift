import TestPeers
import Testing

/// The way to the server, as `--resolve`, `--connect-to`, `-4`, `-6`, `--interface` and the time limits
/// say.
@Suite(.blocking) struct NetworkOptionTests {
  let listener: Listener

  init() throws {
    listener = try Listener(["-v", "--allow-host", "name.test", "--allow-host", "name.invalid"])
  }

  /// The echo of a message by a URL that only the options make reachable.
  private func echo(_ url: String, _ options: [String]) throws -> ChildProcess.Finished {
    try Wscope.run(["send", url, "hello", "-N1"] + options)
  }

  @Test func resolveGivesAddresses() throws {
    let port = listener.port
    for rule in [
      "name.test:\(port):127.0.0.1", "*:\(port):127.0.0.1", "+NAME.test:\(port):127.0.0.1",
    ] {
      let finished = try echo("ws://name.test:\(port)/", ["--resolve", rule])
      #expect(finished.outputText == "hello\n", "\(rule): \(finished.errorText)")
    }
  }

  @Test func resolveRulesAreReplacedAndTakenBack() throws {
    let port = listener.port
    let replaced = try echo(
      "ws://name.test:\(port)/",
      ["--resolve", "name.test:\(port):127.0.0.77", "--resolve", "name.test:\(port):127.0.0.1"])
    #expect(replaced.exitCode == 0, "\(replaced.errorText)")
    let removed = try echo(
      "ws://name.invalid:\(port)/",
      ["--resolve", "name.invalid:\(port):127.0.0.1", "--resolve", "-name.invalid:\(port)"])
    #expect(removed.exitCode == 6, "\(removed.errorText)")
    let otherPort = try echo(
      "ws://name.invalid:\(port)/", ["--resolve", "name.invalid:1:127.0.0.1"])
    #expect(otherPort.exitCode == 6, "\(otherPort.errorText)")
  }

  @Test(arguments: [":", "name.invalid:PORT:", "name.invalid::", ":PORT:"])
  func connectToGoesElsewhere(_ whom: String) throws {
    // `PORT:` names the port of the URL, so that all of these fit it.
    let from = whom == ":" ? "::" : whom.replacing("PORT", with: "4321")
    let finished = try Wscope.run([
      "send", "ws://name.invalid:4321/", "hello", "-N1", "-v", "--connect-to",
      "\(from)127.0.0.1:\(listener.port)",
    ])
    #expect(finished.outputText == "hello\n", "\(from): \(finished.errorText)")
    #expect(finished.errorText.contains("> Host: name.invalid:4321"))
  }

  @Test func connectToIsForWhomItNames() throws {
    let finished = try Wscope.run([
      "send", listener.url, "hello", "-N1", "--connect-to", "other.invalid::127.0.0.1:1",
    ])
    #expect(finished.exitCode == 0, "\(finished.errorText)")
  }

  @Test func familiesExcludeAddresses() throws {
    for (option, url) in [("-6", listener.url), ("-4", "ws://[::1]:\(listener.port)/")] {
      let finished = try Wscope.run(["send", url, "hello", option])
      #expect(finished.exitCode == 6, "\(finished.errorText)")
      #expect(finished.errorText.contains(" only)"))
    }
    let four = try echo(
      "ws://name.test:\(listener.port)/",
      ["-4", "-v", "--resolve", "name.test:\(listener.port):[::1],127.0.0.1"])
    #expect(four.errorText.contains("connected to 127.0.0.1:\(listener.port)"))
  }

  @Test func connectsFromAnAddressOrInterface() throws {
    let address = try echo(listener.url, ["--interface", "127.0.0.9"])
    #expect(address.exitCode == 0, "\(address.errorText)")
    _ = try listener.process.readLine(from: .standardError) { $0.contains("127.0.0.9") }
    let interface = try echo(listener.url, ["--interface", "lo"])
    #expect(interface.exitCode == 0, "\(interface.errorText)")
  }

  @Test func aDeadAddressCostsAMoment() throws {
    let dead = try DeadAddress(port: listener.port)
    let finished = try echo(
      "ws://name.test:\(dead.port)/",
      ["-v", "--resolve", "name.test:\(dead.port):\(dead.host),127.0.0.1"])
    #expect(finished.outputText == "hello\n")
    #expect(finished.errorText.contains("connected to 127.0.0.1:\(dead.port)"))
    #expect(finished.duration > .milliseconds(240) && finished.duration < .seconds(100))
  }

  @Test func aDeadAddressIsNamedWhenTheTimeIsUp() throws {
    let dead = try DeadAddress()
    let finished = try echo(
      "ws://name.test:\(dead.port)/",
      [
        "--connect-timeout", "600ms", "--resolve",
        "name.test:\(dead.port):127.0.0.1,\(dead.host)",
      ])
    #expect(finished.exitCode == 28)
    for text in [
      "timed out after 600 ms waiting for the TCP connection",
      "tried: 127.0.0.1:\(dead.port): Connection refused",
      "tried: 127.0.0.2:\(dead.port): no answer", "hint: --connect-timeout",
    ] { #expect(finished.errorText.contains(text), "\(finished.errorText)") }
    #expect(finished.duration > .milliseconds(550) && finished.duration < .seconds(100))
  }

  @Test func theConnectTimeoutEndsWithTheConnecting() throws {
    let peer = try RawPeer([
      .readRequest, .wait(milliseconds: 600), .accept, .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
    ])
    defer { peer.stop() }
    let finished = try Wscope.run(["send", peer.url, "x", "--connect-timeout", "300ms"])
    #expect(finished.exitCode == 0, "\(finished.errorText)")
  }

  @Test func theConnectTimeoutCoversTLS() throws {
    let peer = try RawPeer([.silence])
    defer { peer.stop() }
    let finished = try Wscope.run(
      ["send", "wss://127.0.0.1:\(peer.port)/", "x", "--connect-timeout", "300ms"])
    #expect(finished.exitCode == 28)
    #expect(finished.errorText.contains("timed out after 300 ms waiting for TLS (TCP is up)"))
  }

  @Test func theMaximumTimeNamesThePhase() throws {
    let dead = try DeadAddress()
    let silent = try RawPeer([.readRequest, .silence])
    let open = try RawPeer([.readRequest, .accept, .silence])
    defer {
      silent.stop()
      open.stop()
    }
    let rows = [
      ("ws://\(dead.host):\(dead.port)/", "waiting for the TCP connection"),
      ("wss://127.0.0.1:\(silent.port)/", "waiting for TLS"),
      (silent.url, "waiting for the upgrade reply (TCP is up)"),
      (open.url, "with the connection open"),
    ]
    for (url, words) in rows {
      let finished = try Wscope.run(["send", url, "x", "-m", "0.4", "--repeat", "2"])
      #expect(finished.exitCode == 28)
      #expect(
        finished.errorText.contains("timed out after 400 ms (--max-time) \(words)"),
        "\(finished.errorText)")
      #expect(finished.duration > .milliseconds(350) && finished.duration < .seconds(100))
    }
  }

  @Test func theMaximumTimeIsInTheReport() throws {
    let peer = try RawPeer([.readRequest, .accept, .silence])
    defer { peer.stop() }
    let finished = try Wscope.run([
      "send", peer.url, "x", "--expect", "y", "--tap-output", "--max-time", "300ms",
    ])
    #expect(finished.exitCode == 28)
    #expect(finished.outputText.contains("not ok"))
    #expect(finished.outputText.contains("--max-time"))
  }

  @Test(arguments: [
    ("--resolve name:80", "is not HOST:PORT:ADDR"), ("--resolve name:80:", "is not HOST:PORT:ADDR"),
    ("--resolve name:0:127.0.0.1", "is not HOST:PORT:ADDR"),
    ("--resolve name:80:localhost", "invalid address \"localhost\""),
    ("--connect-to a:1:b", "is not HOST1:PORT1:HOST2:PORT2"),
    ("--connect-to a:1:b:99999", "is not HOST1:PORT1:HOST2:PORT2"),
    ("-4 -6", "cannot be used together"),
    ("--interface nonsense", "not an address or a network interface"),
    ("--interface 192.0.2.1", "192.0.2.1 is not an address of this machine"),
    ("--interface 127.0.0.1 -6", "address family of -4 or -6"),
    ("--connect-timeout 0", "longer than 0"), ("--max-time 0", "longer than 0"),
    ("--max-time soon", "--max-time"),
  ])
  func isRefused(_ options: String, _ words: String) throws {
    let finished = try Wscope.run(
      ["send", listener.url, "x"] + options.split(separator: " ").map(String.init))
    #expect(finished.exitCode == 2, "\(finished.errorText)")
    #expect(finished.errorText.contains(words), "\(finished.errorText)")
  }
}
