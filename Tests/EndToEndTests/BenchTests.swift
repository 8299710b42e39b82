import Glibc
import LoadTesting
import TestPeers
import Testing

@testable import wscope

/// `wscope bench` as a person runs it.
@Suite(.serialized, .blocking) struct BenchTests {
  static func json(_ finished: ChildProcess.Finished) throws -> JSONReader.Value {
    try JSONReader.read(finished.outputText)
  }

  static func number(_ value: JSONReader.Value?) -> Double? {
    guard case .number(let number)? = value else { return nil }
    return number
  }

  /// Runs it for JSON, with nothing around the measurement that takes time.
  static func measure(
    _ arguments: [String], exitCode: Int32 = 0, deadline: Double = 120
  ) throws -> JSONReader.Value {
    let finished = try Wscope.run(
      ["bench"] + arguments + ["--format", "json", "--connect-rate", "5k"], deadline: deadline)
    #expect(finished.exitCode == exitCode, "\(finished.errorText)")
    let report = try json(finished)
    #expect(report["messages", "difference"] == .number(0))
    return report
  }

  // MARK: What it measures

  @Test func aClosedLoopAddsUp() throws {
    let listener = try Listener()
    let report = try Self.measure([listener.url, "-c10", "-n1000", "--inflight", "4"])
    #expect(report["config", "model"] == .string("closed"))
    #expect(report["messages", "sent"] == .number(1000))
    #expect(report["messages", "answered"] == .number(1000))
    #expect(report["metrics", "rtt", "count"] == .number(1000))
    #expect(report["metrics", "late"] == nil)
    #expect(report["connections", "opened"] == .number(10))
    #expect(report["target", "url"] == .string(listener.url))
  }

  /// Two processes share the run: what they send adds up, each from addresses of its own.
  @Test func shardsShareARun() throws {
    let listener = try Listener()
    let run = [listener.url, "-c", "5", "-n", "1001", "-R", "5k", "--local-ips", "127.0.7.0/30"]
    let reports = try ["0/2", "1/2"].map { try Self.measure(run + ["--shard", $0]) }
    #expect(reports.map { $0["connections", "asked"] } == [.number(3), .number(2)])
    #expect(reports.map { $0["rates", "target"] } == [.number(3000), .number(2000)])
    let sent = reports.compactMap { Self.number($0["messages", "sent"]) }
    #expect(sent.reduce(0, +) == 1001)
    listener.process.signal(SIGINT)
    let log = try listener.process.wait().errorText
    #expect(log.contains(" 127.0.7.1:"))
    #expect(log.contains(" 127.0.7.2:"))
    #expect(!log.contains(" 127.0.0.1:") && !log.contains(" 127.0.7.3:"))
  }

  @Test(arguments: [
    (["--shard", "2/2"], "shard"), (["--shard", "0"], "shard"), (["--shard", "0/9"], "more parts"),
    (["--local-ips", "127.0.0"], "local-ips"), (["--local-ips", "127.0.0.1/8"], "local-ips"),
    (["--local-ips", "192.0.2.1"], "192.0.2.1 is not an address of this machine"),
  ]) func mistakesInShardsAndAddresses(_ options: [String], _ words: String) throws {
    let finished = try Wscope.run(["bench", "ws://127.0.0.1:9/", "-c", "4"] + options)
    #expect(finished.exitCode == 2)
    #expect(finished.errorText.contains(words), "\(finished.errorText)")
  }

  @Test func theReportIsForAPerson() throws {
    let listener = try Listener()
    let finished = try Wscope.run(["bench", listener.url, "-c", "2", "-d", "1s", "--warmup", "0"])
    #expect(finished.exitCode == 0)
    let text = finished.outputText
    #expect(text.contains("\necho, closed loop, 2 conns × 1 in flight, 64 B\n"))
    for words in [
      "use -R for latency", "1.0 s measured", "2 of 2 open", "rtt", "Errors       none",
    ] {
      #expect(text.contains(words), "\(words)")
    }
    #expect(!text.contains("rtt_service"))
    #expect(finished.errorText.isEmpty)
  }

  @Test func aRateIsReachedAndLatenessTold() throws {
    let listener = try Listener()
    let report = try Self.measure([
      listener.url, "-c", "5", "-R", "1k", "-d", "2s", "--warmup", "200ms",
    ])
    let sent = Self.number(report["rates", "sent"]) ?? 0
    #expect(abs(sent - 1000) <= 20)
    #expect(report["metrics", "late", "count"] == report["messages", "sent"])
    #expect(report["metrics", "rtt_service", "count"] == report["messages", "sent"])
    #expect(report["config", "arrival"] == .string("constant"))
  }

  /// The proof against coordinated omission: while the server stands still the clock goes on, and
  /// every message that was due in that second counts with the time that it would have waited.
  @Test func aStalledServerShowsInTheTail() throws {
    let listener = try Listener()
    let bench = try Wscope.start([
      "bench", listener.url, "-c", "4", "-R", "500", "-d", "10s", "--warmup", "100ms", "--format",
      "json", "--percentiles", "50,95,99",
    ])
    _ = try listener.process.readLine(from: .standardError) { $0.contains("#4 open") }
    // Within the window, wherever exactly: it begins soon after the last opening.
    usleep(4_000_000)
    listener.process.signal(SIGSTOP)
    usleep(1_000_000)
    listener.process.signal(SIGCONT)
    let report = try Self.json(try bench.wait(deadline: 120))
    let rtt = report["metrics", "rtt"]
    #expect(report["messages", "difference"] == .number(0))
    #expect(report["messages", "unanswered"] == .number(0))
    #expect(try #require(Self.number(rtt?["max"])) >= 900e6)
    // A tenth of the messages waited: the median knows nothing of it, the tail much.
    #expect(try #require(Self.number(rtt?["percentiles", "50", "v"])) < 100e6)
    #expect(try #require(Self.number(rtt?["percentiles", "95", "v"])) > 300e6)
    #expect(rtt?["percentiles", "99.9"] == nil)
  }

  @Test func aServerThatNeverAnswersIsNotFast() throws {
    let peer = try RawPeer([.readRequest, .accept, .readToEnd])
    defer { peer.stop() }
    let finished = try Wscope.run([
      "bench", peer.url, "-c", "4", "--inflight", "10", "-n", "40", "--timeout", "300ms",
      "--close-timeout", "100ms",
    ])
    #expect(finished.exitCode == 0)
    #expect(finished.outputText.contains("40 sent, 0 answered, 40 unanswered"))
    let row = finished.outputText.split(separator: "\n").first { $0.hasPrefix("rtt ") } ?? ""
    #expect(row.contains(">300 ms"), "\(finished.outputText)")
    #expect(finished.outputText.contains("40 × open unanswered"))
    #expect(finished.outputText.contains("SUSPECT: no message was answered: does the server echo?"))
  }

  @Test func withoutAURLItMeasuresItself() throws {
    let finished = try Wscope.run(["bench", "-c", "3", "-n", "30", "--format", "json"])
    #expect(finished.exitCode == 0)
    #expect(finished.errorText.contains("echo server inside this process at ws://127.0.0.1:"))
    let report = try Self.json(finished)
    #expect(report["messages", "answered"] == .number(30))
    let quiet = try Wscope.run(["bench", "-c", "3", "-n", "30", "--quiet"])
    #expect(quiet.errorText.isEmpty)
    #expect(quiet.outputText.contains("30 sent, 30 answered"))
  }

  @Test func tlsAndItsOptions() throws {
    let listener = try Listener(["--tls"])
    let url = "wss://127.0.0.1:\(listener.port)/"
    let refused = try Wscope.run(["bench", url, "-n", "10"])
    #expect(refused.exitCode == 60)
    let finished = try Wscope.run(["bench", url, "-k", "-c", "3", "-n", "30", "--format", "json"])
    #expect(finished.exitCode == 0)
    #expect(finished.errorText.contains("--insecure"))
    let report = try Self.json(finished)
    #expect(report["target", "tls", "version"] == .string("TLSv1.3"))
    #expect(report["metrics", "tls", "count"] == .number(3))
  }

  @Test func theJSONHasTheShapeOfTheDesign() throws {
    let listener = try Listener()
    let report = try Self.measure([
      listener.url, "-c", "2", "-R", "200", "-d", "1s", "--warmup", "0", "--seed", "42",
      "-H", "Authorization: Bearer secret",
    ])
    #expect(
      report.names == [
        "schema", "tool", "run", "target", "config", "phases", "verdict", "connections",
        "messages", "metrics", "rates", "bytes", "errors", "closes", "intervals", "heat_metric",
        "self", "env", "thresholds",
      ])
    #expect(report["schema"] == .string("bench/1"))
    #expect(report["run", "seed"] == .string("42"))
    #expect(
      report["metrics"]?.names == [
        "connect", "tcp", "upgrade", "rtt", "rtt_service", "late", "close",
      ])
    #expect(
      report["metrics", "rtt"]?.names
        == ["unit", "count", "censored", "min", "max", "percentiles", "hdr"])
    guard case .array(let phases)? = report["phases"],
      case .array(let argv)? = report["run", "argv"]
    else {
      Issue.record("no phases or argv")
      return
    }
    #expect(
      phases.map { $0["name"] }
        == ["connect", "settle", "measure", "drain", "close"].map { .string($0) })
    #expect(argv.contains(.string("Authorization: ***")))
    #expect(!argv.contains { "\($0)".contains("secret") })
    #expect(report["closes"] != .array([]))
    #expect(Self.number(report["self", "cpu_busiest_loop"]) != nil)
    // In a container there may be too little CPU for it.
    let staysAwake = (Self.number(report["env", "cpu_quota"]) ?? 2) >= 2
    let awake = try #require(Self.number(report["self", "cpu_awake"]))
    #expect((awake > 0) == staysAwake)
  }

  @Test func aFixedMessageIsAnsweredByAnything() throws {
    let listener = try Listener()
    let report = try Self.measure([listener.url, "-c", "2", "-n", "20", "-x", "hello"])
    #expect(report["config", "size"] == .number(5))
    #expect(report["config", "match"] == .string("fifo"))
    #expect(report["bytes", "payload", "sent"] == .number(100))
    #expect(report["self", "cpu_awake"] == .number(0), "nothing is due in a closed loop")
  }

  // MARK: What goes wrong

  @Test func nobodyListens() throws {
    let finished = try Wscope.run(["bench", "ws://127.0.0.1:1/", "-c", "5"])
    #expect(finished.exitCode == 7)
    #expect(finished.errorText.contains("cannot connect to 127.0.0.1:1: Connection refused"))
    #expect(finished.outputText.contains("0 of 5 open"))
    #expect(finished.outputText.contains("tcp refused (111)"))
    #expect(!finished.outputText.contains("rtt"))
  }

  @Test func theUpgradeIsRefused() throws {
    let peer = try RawPeer([
      .readRequest, .send(Array("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".utf8)),
      .readToEnd,
    ])
    defer { peer.stop() }
    let finished = try Wscope.run(["bench", peer.url, "-c", "5"])
    #expect(finished.exitCode == 22)
    #expect(finished.errorText.contains("401 Unauthorized"))
    #expect(finished.outputText.contains("upgrade http-401"))
  }

  @Test func someConnectionsAreRefused() throws {
    let listener = try Listener(["--max-clients", "3"])
    let arguments = ["bench", listener.url, "-c", "6", "-n", "60"]
    let strict = try Wscope.run(arguments)
    #expect(strict.exitCode == 22)
    #expect(strict.errorText.contains("--min-open"))
    // The first run's connections may take a moment to be gone.
    let lenient = try Wscope.run(arguments + ["--min-open", "10%", "--format", "json"])
    #expect(lenient.exitCode == 0)
    #expect(try Self.json(lenient)["messages", "difference"] == .number(0))
  }

  /// Waits until the server has logged a message: without a warm-up the measurement has begun.
  private static func waitForMessages(_ listener: Listener) throws {
    _ = try listener.process.readLine(from: .standardError) { $0.contains(" < text ") }
  }

  @Test func theServerDies() throws {
    let listener = try Listener()
    let bench = try Wscope.start([
      "bench", listener.url, "-c", "5", "--inflight", "3", "-d", "30s", "--warmup", "0",
      "--connect-rate", "5k", "--format", "json",
    ])
    try Self.waitForMessages(listener)
    listener.process.signal(SIGKILL)
    let finished = try bench.wait(deadline: 120)
    #expect(finished.exitCode == 56)
    #expect(finished.errorText.contains("all connections were lost"))
    let report = try Self.json(finished)
    #expect(report["messages", "difference"] == .number(0))
    #expect(report["connections", "lost"] == .number(5))
    #expect(report["verdict", "state"] == .string("invalid"))
    #expect(report["run", "cut_short", "cause"] == .string("all_lost"))
    guard case .array(let errors)? = report["errors"] else { return }
    let lost = errors.filter { [.string("lost"), .string("reset")].contains($0["class"]) }
    #expect(lost.compactMap { Self.number($0["count"]) }.reduce(0, +) == 5)
  }

  @Test func controlCPrintsTheReport() throws {
    let listener = try Listener()
    let bench = try Wscope.start([
      "bench", listener.url, "-c", "5", "-d", "60s", "--warmup", "0", "--connect-rate", "5k",
    ])
    try Self.waitForMessages(listener)
    bench.signal(SIGINT)
    let finished = try bench.wait(deadline: 120)
    #expect(finished.exitCode == 130)
    #expect(finished.outputText.contains("5 of 5 open"))
    #expect(finished.outputText.contains("5 × 1000 normal (ours)"))
    #expect(finished.outputText.contains(" s measured of 60 s: interrupted"))
  }

  @Test func tooFewFiles() throws {
    let finished = try Wscope.shell("ulimit -n 256; wscope bench ws://127.0.0.1:1 -c 1k")
    #expect(finished.exitCode == 2)
    #expect(finished.errorText == "wscope: need 1100 files, limit 256: ulimit -n 1100\n")
  }

  @Test func helpIsThatOfTheCommand() throws {
    let finished = try Wscope.run(["bench", "--help"])
    #expect(finished.exitCode == 0)
    for flag in ["--connections", "--rate", "--min-open", "--percentiles", "--cacert", "--color"] {
      #expect(finished.outputText.contains(flag), "\(flag)")
    }
  }

  @Test func aFullDisk() throws {
    let finished = try Wscope.shell("wscope bench -q -n 10 -c 1 > /dev/full")
    #expect(finished.exitCode == 23)
  }

  struct Mistake: Sendable, CustomTestStringConvertible {
    var arguments: [String]
    var exitCode: Int32 = 2
    var said: String

    var testDescription: String { arguments.joined(separator: " ") }
  }

  static let mistakes: [Mistake] = [
    Mistake(arguments: ["-c", "0"], said: "--connections must be at least 1"),
    Mistake(arguments: ["-c", "many"], said: "many"),
    Mistake(arguments: ["-n", "0"], said: "--messages must be at least 1"),
    Mistake(arguments: ["-d", "0"], said: "--duration must be longer than 0"),
    Mistake(
      arguments: ["-d", "1s", "-n", "5"],
      said: "--messages and --duration cannot be used together"),
    Mistake(arguments: ["-R", "0"], said: "0"),
    Mistake(arguments: ["-R", "fast"], said: "fast"),
    Mistake(
      arguments: ["-R", "10", "--inflight", "3"],
      said: "--inflight and --rate cannot be used together"),
    Mistake(arguments: ["--arrival", "poisson"], said: "--arrival poisson requires --rate"),
    Mistake(arguments: ["--arrival", "never", "-R", "5"], said: "never"),
    Mistake(arguments: ["--min-open", "101%"], said: "101%"),
    Mistake(arguments: ["--percentiles", "50,100"], said: "50,100"),
    Mistake(arguments: ["--match", "seq", "--size", "15"], said: "--size 16"),
    Mistake(
      arguments: ["--match", "seq", "-x", "hello, this is long"], said: "cannot be used together"),
    Mistake(
      arguments: ["--size", "3", "-x", "abc"], said: "--size and --message cannot be used together"),
    Mistake(arguments: ["--size", "2M", "--max-message", "1M"], said: "--max-message is 1 MiB"),
    Mistake(arguments: ["--threads", "0"], said: "--threads must be from 1 to 1024"),
    Mistake(arguments: ["--format", "xml"], said: #"unknown format "xml"; known: text, json"#),
    Mistake(arguments: ["--mode", "eco"], said: #"unknown mode "eco"; did you mean echo?"#),
    Mistake(arguments: ["--timeout", "0"], said: "--timeout must be longer than 0"),
    Mistake(arguments: ["ftp://x/"], exitCode: 3, said: "unsupported URL scheme \"ftp\""),
    Mistake(arguments: ["no.such.host.invalid"], exitCode: 6, said: "cannot resolve"),
    Mistake(arguments: ["--unix-socket", "/tmp/x"], said: "--unix-socket requires a URL"),
  ]

  @Test(arguments: mistakes) func areAnsweredInOneLine(mistake: Mistake) throws {
    let finished = try Wscope.run(["bench"] + mistake.arguments)
    #expect(finished.exitCode == mistake.exitCode, "\(finished.errorText)")
    let first = finished.errorText.split(separator: "\n").first.map(String.init) ?? ""
    #expect(first.hasPrefix("wscope: "), "\(finished.errorText)")
    #expect(first.contains(mistake.said), "\(finished.errorText)")
    #expect(finished.outputText.isEmpty)
  }
}

/// What is typed, and what it means.
@Suite(.blocking) struct BenchOptionTests {
  @Test(arguments: [
    ("5000", 5000.0), ("20k", 20_000), ("5000/s", 5000), ("0.5", 0.5), ("1.5k/s", 1500),
    ("2M", 2e6),
  ])
  func rates(text: String, perSecond: Double) {
    #expect(RateOption(argument: text)?.perSecond == perSecond)
  }

  @Test(arguments: ["", "0", "-1", "k", "/s", "1e3", "1 k", "5/m", "nan", "inf", "1e400"])
  func noRates(text: String) { #expect(RateOption(argument: text) == nil) }

  @Test(arguments: [("100%", 1.0), ("50", 0.5), ("99.5%", 0.995), ("0", 0)])
  func shares(text: String, share: Double) {
    #expect(PercentOption(argument: text)?.share == share)
  }

  @Test(arguments: ["", "%", "-1", "100.1", "x"])
  func noShares(text: String) { #expect(PercentOption(argument: text) == nil) }

  @Test func percentiles() {
    #expect(PercentilesOption(argument: "50,99.9")?.levels == [.p50, .p999])
    for text in ["", "50,", "0", "100", "50,50", "99.9999"] {
      #expect(PercentilesOption(argument: text) == nil)
    }
  }

  /// A rate so low that no message is due in the window.
  @Test func nothingMeasuredIsInvalid() throws {
    let finished = try Wscope.run([
      "bench", "-R", "0.001", "-d", "100ms", "-c", "1", "--arrival", "poisson", "--seed", "3",
      "--warmup", "0", "-q",
    ])
    #expect(finished.exitCode == 98)
    #expect(finished.outputText.contains("INVALID: nothing was measured"))
  }
}
