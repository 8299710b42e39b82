import TestPeers
import TestServer
import Testing

/// `GET /metrics` of `listen`.
@Suite(.blocking) struct MetricsTests {
  @Test func theRegistryIsWhatIsPrinted() throws {
    let listener = try Listener()
    let text = try MetricsText(port: listener.port)
    #expect(text.head.contains("text/plain; version=0.0.4; charset=utf-8"), "\(text.head)")
    #expect(text.families.map(\.name) == Metrics.all.map(\.name))
    #expect(Set(Metrics.all.map(\.name)).count == Metrics.all.count)
    let manual = try Wscope.read(Self.manual)
    for entry in Metrics.all {
      #expect(entry.name.wholeMatch(of: #/(wscope|process)(_[a-z]+)+/#) != nil)
      #expect(entry.help.hasSuffix(".") && entry.help.first?.isUppercase == true)
      #expect(manual.contains(".It Li \(entry.name)"), "\(entry.name)")
    }
    #expect(text.value("wscope_build_info{version=\"0.1.0\",behaviour=\"echo\"}") == 1)
    #expect(text.value("wscope_connections") == 0)
    for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"] {
      #expect(text.value(name) ?? 0 > 0, "\(name)")
    }
    #expect(text.value("process_start_time_seconds") ?? 0 > 1.7e9)
    #expect(text.value("process_max_fds") ?? 0 >= text.value("process_open_fds") ?? 1)
  }

  private static let manual =
    #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
    + "/man/wscope-listen.1"

  /// While the connections are open, on each way that bytes travel, and after they have ended.
  @Test(arguments: [
    (["--mode", "echo"], 1), (["--mode", "echo", "--threads", "3", "-v"], 1),
    (["--mode", "echo", "--http2"], 1), (["--mode", "sink"], 0), (["--mode", "broadcast=all"], 1),
    (["--mode", "broadcast=all", "--keep", "5"], 1),
  ]) func theSumsAreExact(_ options: [String], _ replies: Int) throws {
    let listener = try Listener(options)
    let clients = replies == 1 && options.contains("broadcast=all") ? 1 : 4
    let payloads = [[UInt8](), [0x61], [UInt8](repeating: 0x62, count: 70_000)]
    var sent = (messages: 0, payload: 0, wire: 0)
    var wireBack = 0
    var open: [RawClient] = []
    for _ in 0..<clients {
      let client = try RawClient(port: listener.port)
      open.append(client)
      client.send(RawClient.request())
      #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
      for payload in payloads {
        let frame = RawClient.frame(1, payload)
        client.send(frame)
        // A frame of a server has no masking key.
        if replies == 1 { #expect(client.read(frame.count - 4).count == frame.count - 4) }
        sent = (sent.messages + 1, sent.payload + payload.count, sent.wire + frame.count)
        wireBack += (frame.count - 4) * replies
      }
      client.send(RawClient.frame(10, []) + RawClient.frame(9, [0x70]))
      #expect(client.read(3) == RawPeer.frame(10, [0x70]))
      sent.wire += 6 + 7
      wireBack += 3
    }
    func check(_ text: MetricsText, open: Int, closed: Int) {
      for (name, value) in [
        ("wscope_connections", open), ("wscope_connections_total", clients),
        ("wscope_handshakes_total{status=\"101\"}", clients),
        ("wscope_messages_received_total", sent.messages),
        ("wscope_messages_sent_total", sent.messages * replies),
        ("wscope_received_bytes_total", sent.payload),
        ("wscope_sent_bytes_total", sent.payload * replies),
        ("wscope_wire_received_bytes_total", sent.wire + closed * 8),
        ("wscope_wire_sent_bytes_total", wireBack + closed * 4),
        ("wscope_pings_received_total", clients), ("wscope_pongs_received_total", clients),
        ("wscope_connection_duration_seconds_count", closed),
      ] {
        #expect(text.value(name) == Double(value), "\(name)")
      }
    }
    var text = try MetricsText(port: listener.port)
    check(text, open: clients, closed: 0)
    for client in open {
      client.send(RawClient.frame(8, [0x0F, 0xA0]))
      _ = client.readToEnd()
    }
    let closes = "wscope_closes_total{code=\"4000\",by=\"client\"}"
    while text.value(closes) != Double(clients) {
      text = try MetricsText(port: listener.port)
    }
    check(text, open: 0, closed: clients)
  }

  /// However many codes, statuses and paths clients use.
  @Test func theNumberOfSeriesIsBounded() throws {
    let listener = try Listener()
    func use(_ numbers: Range<Int>) throws -> MetricsText {
      for number in numbers {
        let client = try RawClient(port: listener.port)
        client.send(RawClient.request(path: "/path\(number)"))
        _ = client.readHead()
        let code = 4000 + number
        client.send(RawClient.frame(8, [UInt8(code >> 8), UInt8(code & 0xFF)]))
        _ = client.readToEnd()
        let rejected = try RawClient(port: listener.port)
        rejected.send(RawClient.request(path: "/status/\(400 + number)"))
        _ = rejected.readHead()
      }
      let all = numbers.upperBound
      while true {
        let text = try MetricsText(port: listener.port)
        if text.value("wscope_connection_duration_seconds_count") == Double(all) { return text }
      }
    }
    let before = try use(0..<60)
    let after = try use(60..<120)
    #expect(before.series.count == after.series.count)
    #expect(before.series.map(\.name) == after.series.map(\.name))
    #expect(after.series.count < 400)
    #expect(after.value("wscope_closes_total{code=\"other\",by=\"client\"}") == 72.0)
    #expect(after.value("wscope_handshakes_total{status=\"other\"}") ?? 0 > 60)
  }

  @Test func whatElseIsCounted() throws {
    let listener = try Listener([
      "--on", "< a => > b", "--on", "< c => ping", "--fault", "delay=1ms", "--fault",
      "refuse=503,conn=2",
    ])
    let finished = try Wscope.run(["send", listener.url, "x", "a", "c", "a", "-N2"])
    #expect(finished.outputText == "b\nb\n")
    _ = try Wscope.run(["send", listener.url, "x"])
    _ = try Wscope.run(["send", listener.url, "x", "-o", "http://example.com"])
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request())
    _ = client.readHead()
    client.send(RawClient.frame(1, [0xFF]))
    _ = client.readToEnd()
    let violations = "wscope_protocol_errors_total{code=\"1007\"}"
    var text = try MetricsText(port: listener.port)
    while text.value(violations) != 1 { text = try MetricsText(port: listener.port) }
    for (name, value) in [
      ("wscope_rule_matches_total{rule=\"on1\"}", 2),
      ("wscope_rule_matches_total{rule=\"on2\"}", 1),
      ("wscope_unmatched_messages_total", 1), ("wscope_faults_total{kind=\"delay\"}", 1),
      ("wscope_faults_total{kind=\"refuse\"}", 1), ("wscope_faults_total{kind=\"rst\"}", 0),
      ("wscope_refused_origins_total", 1), ("wscope_handshakes_total{status=\"403\"}", 1),
      ("wscope_handshakes_total{status=\"503\"}", 1), ("wscope_pings_sent_total", 1),
      ("wscope_closes_total{code=\"1007\",by=\"server\"}", 1),
    ] {
      #expect(text.value(name) == Double(value), "\(name)")
    }
  }

  /// Not only with the mode echo; and it is guarded like the rest.
  @Test func whereItIsAnswered() throws {
    for options in [
      ["--mode", "chat", "--strict-paths"], ["--mode", "source"], ["--on", "< a => > b"],
      ["--http2"],
    ] {
      let listener = try Listener(options, hasInput: true)
      let text = try MetricsText(port: listener.port)
      #expect(text.families.count == Metrics.all.count, "\(options)")
      let evil = try MetricsText(port: listener.port, fields: ["Origin: http://example.com"])
      #expect(evil.head.hasPrefix("HTTP/1.1 403 "), "\(evil.head)")
    }
    let listener = try Listener(["--bearer", "secret-token"])
    #expect(try MetricsText(port: listener.port).head.hasPrefix("HTTP/1.1 401 "))
    let text = try MetricsText(
      port: listener.port, fields: ["Authorization: Bearer secret-token"])
    #expect(text.value("wscope_handshakes_total{status=\"401\"}") == 1)
  }
}
