import Glibc
import TestPeers
import Testing

/// `listen` with scripts and rules.
@Suite(.blocking) struct ServerScriptTests {
  private func send(_ listener: Listener, _ arguments: String...) throws -> ChildProcess.Finished {
    try Wscope.run(["send", listener.url] + arguments, input: "")
  }

  @Test func rulesAnswer() throws {
    let listener = try Listener([
      "-v", "--on", "open => > welcome to $PATH", "--on", "< ping => > pong $N", "--on",
      "<~ ^hello (\\w+) => > hi $1 ${?who}", "--on", "<json .op == \"sub\" => > {\"id\":${.id}}",
      "--on", "=> wait 20ms", "--on", "=> > later",
    ])
    let finished = try Wscope.run(
      [
        "send", listener.url + "x?who=me%20too", "ping", "hello bob", "{\"op\":\"sub\",\"id\":[7]}",
        "nothing", "ping", "-N6",
      ], input: "")
    #expect(
      finished.outputText
        == "welcome to /x\npong 1\nhi bob me too\n{\"id\":[7]}\nlater\npong 5\n",
      "\(finished.errorText)")
    var log = ""
    _ = try listener.process.readLine(from: .standardError) { line in
      log += line + "\n"
      return line.contains("closed 1000")
    }
    for line in [
      "#1 < text 4 B  ping   rule on2", "#1 > text 6 B  pong 1   rule on2",
      "#1 < text 7 B  nothing   (no rule)", "#1 > text 5 B  later   rule on4",
    ] { #expect(log.contains(line), "\(log)") }
  }

  @Test func rulesStandInFrontOfAMode() throws {
    let listener = try Listener(["--mode", "echo", "--on", "< a => > b"])
    #expect(try send(listener, "a", "c", "-N2").outputText == "b\nc\n")
    let silent = try Listener(["--on", "< a => > b"])
    #expect(try send(silent, "c", "a", "-N1").outputText == "b\n")
  }

  /// On different event loops too.
  @Test(arguments: ["1", "4"]) func rulesReachOtherClients(_ threads: String) throws {
    let listener = try Listener([
      "--threads", threads, "--on", "@/chat < who => @others > $CONN asks", "--on",
      "=> > you asked", "--on", "@/chat < all => @all > everybody", "--on",
      "@/chat < one => @1 > first", "--on", "@/chat <* => @/elsewhere > $MESSAGE",
    ])
    let others = try (0..<3).map { index in
      let path = index < 2 ? "chat" : "elsewhere"
      let client = try Wscope.start(["connect", listener.url + path])
      _ = try listener.process.readLine(from: .standardError) { $0.contains("#\(index + 1) open") }
      return client
    }
    let asked = try Wscope.run(
      ["send", listener.url + "chat", "who", "all", "one", "text", "-N2"], input: "")
    #expect(asked.outputText == "you asked\neverybody\n")
    for (index, lines) in [
      ["4 asks", "everybody", "first"], ["4 asks", "everybody"], ["text"],
    ].enumerated() {
      for line in lines {
        #expect(try others[index].readLine(from: .standardOutput) == line)
      }
    }
  }

  @Test func anUpgradeIsRejected() throws {
    let listener = try Listener([
      "--on", "upgrade 1 => status 503", "--on", "upgrade 2 => wait 10ms", "--on",
      "=> status 302 ws://127.0.0.1:1/x", "--on", "upgrade 3 => reset", "--on",
      "upgrade 4 => wait 10ms", "--on", "<* => > $CONN",
    ])
    #expect(try send(listener, "x", "--expect-status", "503").exitCode == 0)
    let moved = try send(listener, "x")
    #expect(moved.exitCode == 22 && moved.errorText.contains("ws://127.0.0.1:1/x"))
    #expect(try send(listener, "x").exitCode == 52)
    #expect(try send(listener, "x", "-1").outputText == "1\n")
  }

  @Test func aConnectionIsResetOrStalls() throws {
    let listener = try Listener([
      "--on", "< r => > last", "--on", "=> reset", "--on", "< s => stall", "--on", "<* => > more",
    ])
    let reset = try send(listener, "r")
    #expect(reset.exitCode == 56 && reset.outputText == "last\n", "\(reset.errorText)")
    #expect(reset.errorText.contains("TCP reset by the peer"))
    let stalled = try send(
      listener, "s", "x", "--wait", "300ms", "--close-timeout", "100ms")
    #expect(stalled.exitCode == 28 && stalled.outputText.isEmpty, "\(stalled.errorText)")
  }

  @Test func aScriptTestsAClient() throws {
    let directory = try Wscope.scratch("server-script")
    try Wscope.write(
      """
      < {"op":"subscribe"}
      > {"ok":true}
      <json .n > 3 -> K
      >@ file.txt
      > got $K
      ping
      close 1000 bye
      """, to: "\(directory)/server.wscope")
    try Wscope.write("from a file", to: "\(directory)/file.txt")
    let listener = try Listener([
      "--script", "\(directory)/server.wscope", "--junit", "\(directory)/junit.xml",
      "--tap-output", "-w", "60s",
    ])
    let right = try send(
      listener, "{\"op\":\"subscribe\"}", "{\"n\":4}", "--expect-close", "1000")
    #expect(right.exitCode == 0, "\(right.errorText)")
    #expect(right.outputText == "{\"ok\":true}\nfrom a file\ngot 4\n")
    _ = try listener.process.readLine(from: .standardError) {
      $0.contains("#1 script ok      \(directory)/server.wscope  7 steps, ")
    }
    // It leaves in the middle.
    _ = try send(listener, "{\"op\":\"subscribe\"}", "-1")
    _ = try listener.process.readLine(from: .standardError) {
      $0.contains(
        "#2 script failed  \(directory)/server.wscope:3  <json .n > 3 -> K   got closed 1000")
    }
    listener.process.signal(SIGINT)
    let ended = try listener.process.wait()
    #expect(ended.exitCode == 0)
    #expect(ended.outputText.contains("ok 1 - \\#1 \(directory)/server.wscope: line 1: "))
    #expect(ended.outputText.contains("not ok 5 - \\#2 \(directory)/server.wscope: line 3: "))
    let junit = try Wscope.read("\(directory)/junit.xml")
    #expect(junit.components(of: "<testsuite ") == 2 && junit.components(of: "<failure ") == 2)
  }

  @Test func aFailedStepClosesWith1008() throws {
    let directory = try Wscope.scratch("server-script-fails")
    try Wscope.write("> hello\nexpect-none 1h", to: "\(directory)/s.wscope")
    let listener = try Listener(["--script", "\(directory)/s.wscope"])
    let finished = try send(listener, "x", "--wait", "600")
    #expect(finished.exitCode == 111)
    #expect(finished.errorText.contains("1008 policy violation \"script failed at line 2\""))
  }

  @Test func aScriptMayOnlyReject() throws {
    let directory = try Wscope.scratch("server-script-status")
    try Wscope.write("status 401 who are you", to: "\(directory)/s.wscope")
    let listener = try Listener(["--script", "\(directory)/s.wscope"])
    #expect(try send(listener, "x", "--expect-status", "401").exitCode == 0)
  }

  /// Each is judged alone.
  @Test func manyClientsAtOnce() throws {
    let directory = try Wscope.scratch("server-script-many")
    try Wscope.write("<~ ^([0-9]+)$ -> K\n> got $K\n< end", to: "\(directory)/s.wscope")
    let listener = try Listener(["--script", "\(directory)/s.wscope", "--threads", "4"])
    let clients = try (0..<40).map { _ in try RawClient(port: listener.port) }
    for client in clients {
      client.send(RawClient.request())
      _ = client.readHead()
    }
    for (number, client) in clients.enumerated() {
      client.send(RawClient.frame(1, Array("\(number)".utf8)))
    }
    for (number, client) in clients.enumerated() {
      let text = Array("got \(number)".utf8)
      #expect(client.read(2 + text.count) == [0x81, UInt8(text.count)] + text)
      client.send(RawClient.frame(1, Array("end".utf8)))
      #expect(client.read(4) == [0x88, 2, 0x03, 0xE8])
    }
  }

  @Test func rulesAreReadAgain() throws {
    let directory = try Wscope.scratch("server-rules")
    let path = "\(directory)/chat.rules"
    try Wscope.write("< a => > one\n<~ (x+)+y => > y", to: path)
    let listener = try Listener(["--rules", path])
    let client = try Wscope.start(["connect", listener.url])
    try client.writeLine("a")
    #expect(try client.readLine(from: .standardOutput) == "one")
    try Wscope.write("< a => > two", to: path)
    _ = try listener.process.readLine(from: .standardError) {
      $0.contains("rules read again: \(path), 1 rule")
    }
    try client.writeLine("a")
    #expect(try client.readLine(from: .standardOutput) == "two")
    try Wscope.write("< a => clse 1000", to: path)
    _ = try listener.process.readLine(from: .standardError) {
      $0.contains("! \(path):1: unknown action \"clse\"") && $0.hasSuffix("; the old rules stay")
    }
    try client.writeLine("a")
    #expect(try client.readLine(from: .standardOutput) == "two")
  }

  @Test func whatIsReadyIsSaid() throws {
    let directory = try Wscope.scratch("server-rules-ready")
    let path = "\(directory)/slow.rules"
    try Wscope.write("< a => > one\n<~ (x+)+y => > y", to: path)
    let child = try Wscope.start(["listen", "0", "--rules", path], hasInput: false)
    _ = try child.readLine(from: .standardError) { $0.hasSuffix("/  rules") }
    _ = try child.readLine(from: .standardError) { $0 == "* rules: \(path), 2 rules" }
    _ = try child.readLine(from: .standardError) {
      $0 == "! \(path):2: nested quantifiers can take exponential time"
    }
  }

  /// A pattern that takes too many steps costs its rule, not the server.
  @Test func aSlowPatternIsSkipped() throws {
    let listener = try Listener([
      "--on", "<~ ^(a+)+$ => > matched", "--on", "<* => > other",
    ])
    let finished = try send(listener, String(repeating: "a", count: 40) + "!", "-1")
    #expect(finished.outputText == "other\n")
    _ = try listener.process.readLine(from: .standardError) {
      $0.contains("! rule on1: the regular expression takes too many steps on a message of 41 B")
    }
  }

  private static let mistakes: [(arguments: [String], text: String)] = [
    (["--script", "/nope"], "cannot read /nope: No such file or directory"),
    (["--on", "< a > b"], "--on: a rules file takes no steps: write EVENT => ACTION"),
    (["--on", "< a => > $NOT_SET"], "--on: $NOT_SET is not set"),
    (["--on", "< a => > b\n"], "--on: a rule is one line"),
    (["--script", "/dev/null", "--mode", "echo"], "--script cannot be combined with --mode"),
    (
      ["--on", "< a => nothing", "--strict-paths"],
      "--strict-paths requires test paths, which --on turns off"
    ),
    (["--wait", "3s"], "--wait requires --script"),
    (["--junit", "x"], "--junit requires --script"),
    (["--tap-output"], "--tap-output requires --script"),
    (["--script", "-", "--rules", "-"], "standard input is already used by --script -"),
    (["--on", "< a => >@ /nope"], "cannot read /nope: No such file or directory"),
    (["--script", "-"], "standard input: the script has no steps"),
    (["--rules", "-"], "standard input: the file has no rules"),
  ]

  @Test(arguments: mistakes.indices) func mistakesAreNamed(_ index: Int) throws {
    let (arguments, text) = Self.mistakes[index]
    let finished = try Wscope.run(["listen", "0"] + arguments, input: "")
    #expect(finished.exitCode == 2)
    #expect(
      finished.errorText.split(separator: "\n").first.map(String.init) == "wscope: \(text)",
      "\(finished.errorText)")
  }
}

extension String {
  fileprivate func components(of text: String) -> Int {
    var count = 0
    var rest = self[...]
    while let range = rest.firstRange(of: text) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }
}
