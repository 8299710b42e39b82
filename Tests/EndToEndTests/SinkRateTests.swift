import NIOCore
import TestPeers
import Testing
import WebSocketProtocol

@testable import wscope

/// The rates of mode `sink` on a terminal.
@Suite(.blocking) struct SinkRateTests {
  private static func traffic(_ messages: UInt64, _ bytes: UInt64) -> Traffic {
    var traffic = Traffic()
    (traffic.messagesIn, traffic.payloadIn) = (messages, bytes)
    return traffic
  }

  @Test func aLineForEachClientThatSends() {
    var rates = SinkRates(at: .uptimeNanoseconds(1_000_000_000))
    let lines = { (second: UInt64, clients: [(Int, Traffic)]) in
      rates.lines(
        clients.map { (number: $0.0, traffic: $0.1) },
        at: .uptimeNanoseconds(second * 1_000_000_000))
    }
    let all = [(1, Self.traffic(12_034, 3 << 20)), (2, Self.traffic(0, 0))]
    #expect(lines(2, all) == ["#1 12 034 msg/s  3 MiB/s"])
    // Nobody has sent anything since.
    #expect(lines(3, all) == [])
    // Over two seconds.
    #expect(lines(5, [(1, Self.traffic(12_036, 3 << 20))]) == ["#1 1 msg/s  0 B/s"])
    let many = (1...12).map { ($0 + 10, Self.traffic(100, 1000)) }
    let shown = lines(6, many)
    #expect(shown.count == SinkRates.maxLines + 1)
    #expect(shown.last == "* 2 more clients: 200 msg/s  1.95 KiB/s", "\(shown)")
  }

  @Test func aTerminalShowsThem() throws {
    let file = try Wscope.scratch("sink-rates") + "/port"
    let terminal = try PseudoTerminal(
      Wscope.path, ["listen", "0", "--mode", "sink", "--no-compress", "--port-file", file],
      environment: Wscope.environment(["TERM": "xterm-256color"]), columns: 100)
    try terminal.wait(forText: "listening on")
    let client = try RawClient(port: try #require(Int(try Wscope.read(file).filter(\.isNumber))))
    client.send(RawClient.request())
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
    client.send((0..<1000).flatMap { _ in RawClient.frame(1, [0x61]) })
    try terminal.wait(forText: " msg/s  ")
    try terminal.type("\u{3}")
    #expect(Array(client.read(4).suffix(2)) == [0x03, 0xE9])
    client.send(RawClient.frame(8, [0x03, 0xE9]))
    #expect(try terminal.waitForEnd() == .exited(0))
  }

  @Test func aFileHasNone() throws {
    let listener = try Listener(["--mode", "sink", "--no-compress", "--max-time", "2s"])
    let client = try RawClient(port: listener.port)
    client.send(RawClient.request())
    #expect(client.readHead().hasPrefix("HTTP/1.1 101 "))
    client.send(RawClient.frame(1, [0x61]))
    let ended = try listener.process.wait()
    #expect(!ended.errorText.contains("msg/s"), "\(ended.errorText)")
  }
}
