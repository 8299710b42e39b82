import Conversation
import Testing
import WebSocketProtocol

/// The lines of recordings and of `--format jsonl`, and what is read of them again.
@Suite struct SessionEventTests {
  private func line(_ what: SessionEvent.What, time: Int64 = 41_349_999) -> String {
    String(decoding: SessionEvent(time: time, connection: 2, what).line, as: UTF8.self)
  }

  @Test func lines() {
    #expect(
      line(
        .open(status: 101, subprotocol: "chat", extensions: ["x"], tls: .init(version: "TLSv1.3")))
        == #"{"v":1,"t":0.0413,"conn":2,"event":"open","status":101,"subprotocol":"chat","extensions":["x"],"tls":"TLSv1.3"}"#
        + "\n")
    let certificate = SessionEvent.Certificate(
      subject: "CN=a", issuer: "CN=b", names: ["a"], notBefore: "2026-11-23T08:15:00Z",
      notAfter: "2027-11-23T08:15:00Z", fingerprint: "00ff", pin: "sha256//x")
    #expect(
      line(
        .open(
          status: 101, subprotocol: nil, extensions: [],
          tls: .init(
            version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", applicationProtocol: "http/1.1",
            certificate: certificate),
          timings: [.init("tcp", 1_234_567), .init("tls", 2_000_000)]))
        == #"{"v":1,"t":0.0413,"conn":2,"event":"open","status":101,"subprotocol":null,"extensions":[],"#
        + #""tls":"TLSv1.3","cipher":"TLS_AES_128_GCM_SHA256","alpn":"http/1.1","certificate":"#
        + #"{"subject":"CN=a","issuer":"CN=b","names":["a"],"not_before":"2026-11-23T08:15:00Z","#
        + #""not_after":"2027-11-23T08:15:00Z","sha256":"00ff","pin":"sha256//x"},"#
        + #""timings":{"tcp":0.001234,"tls":0.002}}"# + "\n")
    #expect(
      line(.message(.incoming, .text, Array("hello".utf8), wire: 9))
        == #"{"v":1,"t":0.0413,"conn":2,"event":"message","dir":"in","type":"text","size":5,"wire":9,"text":"hello"}"#
        + "\n")
    #expect(
      line(.message(.outgoing, .binary, [0, 255, 1, 10, 128], wire: nil))
        == #"{"v":1,"t":0.0413,"conn":2,"event":"message","dir":"out","type":"binary","size":5,"base64":"AP8BCoA="}"#
        + "\n")
    #expect(
      line(
        .close(.incoming, CloseCode(rawValue: 1008), reason: "nope", isClean: true),
        time: 1_200_000_000)
        == #"{"v":1,"t":1.2,"conn":2,"event":"close","dir":"in","code":1008,"name":"policy violation","reason":"nope","clean":true}"#
        + "\n")
  }

  /// The lines that only a server has.
  @Test func serverLines() {
    func line(_ connection: Int?, _ what: SessionEvent.What) -> String {
      let line = SessionEvent(time: 1_000_000_000, connection: connection, what).line
      return String(decoding: line.dropLast(), as: UTF8.self)
    }
    #expect(
      line(nil, .listening(urls: ["ws://h/"], behaviour: "echo", seed: .max))
        == #"{"v":1,"t":1.0,"event":"listening","role":"server","urls":["ws://h/"],"behaviour":"echo","#
        + #""seed":18446744073709551615}"#)
    #expect(
      line(nil, .rejected(status: nil, reason: "not HTTP", from: "1.2.3.4:5"))
        == #"{"v":1,"t":1.0,"event":"refused","reason":"not HTTP","from":"1.2.3.4:5"}"#)
    #expect(
      line(
        3,
        .open(
          status: 101, subprotocol: nil, extensions: [], tls: nil,
          client: .init(path: "/x", from: nil)))
        == #"{"v":1,"t":1.0,"conn":3,"event":"open","status":101,"subprotocol":null,"extensions":[],"#
        + #""path":"/x"}"#)
    #expect(
      line(3, .message(.outgoing, .text, [0x61], wire: nil, .init(rule: "on1", fault: "delay=1s")))
        == #"{"v":1,"t":1.0,"conn":3,"event":"message","dir":"out","type":"text","size":1,"text":"a","#
        + #""rule":"on1","fault":"delay=1s"}"#)
    #expect(
      line(3, .fault(kind: "rst")) == #"{"v":1,"t":1.0,"conn":3,"event":"fault","kind":"rst"}"#)
    #expect(
      line(3, .script(failure: nil)) == #"{"v":1,"t":1.0,"conn":3,"event":"script","ok":true}"#)
    #expect(
      line(3, .script(failure: .init(line: 7, step: "< a", got: "b")))
        == #"{"v":1,"t":1.0,"conn":3,"event":"script","ok":false,"line":7,"step":"< a","got":"b"}"#)
  }

  /// A recording is text that somebody will look at in a terminal.
  @Test func nothingInALineSpeaksToATerminal() {
    let text = (0...0xFF).map { String(Unicode.Scalar($0) ?? " ") }.joined() + "\u{202e}\u{e0041}"
    let line = line(.message(.incoming, .text, Array(text.utf8), wire: nil))
    #expect(
      line.unicodeScalars.dropLast().allSatisfy {
        $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value)
      })
    #expect(!line.unicodeScalars.contains("\u{202e}"))
    #expect(line.contains(#"\u202e\udb40\udc41"#))
    var reader = SessionReader()
    let read = try? reader.message(of: Array(line.utf8))
    #expect(read?.payload == Array(text.utf8))
  }

  @Test func aRecordingIsPlayedAndAnythingElseIsPassedOn() throws {
    let lines = [
      line(.open(status: 101, subprotocol: nil, extensions: [], tls: nil)),
      line(.message(.incoming, .text, [0x61], wire: 3)),
      line(.message(.outgoing, .text, [0x62], wire: nil)),
      line(.ping(.outgoing, [0x31])), #"{"event":"message","text":"c"}"#,
    ]
    func sent(_ lines: [String]) throws -> [[UInt8]] {
      var reader = SessionReader()
      return try lines.compactMap { try reader.message(of: Array($0.utf8))?.payload }
    }
    #expect(try sent(lines) == [[0x61], [0x62], [0x63]])
    let recording = [line(.record(url: "ws://h/", started: "2026-11-23T08:15:00.250Z"))] + lines
    #expect(try sent(recording) == [[0x62], [0x63]])
  }
}

@Suite struct ReconnectPolicyTests {
  private let second: Int64 = 1_000_000_000

  @Test func pausesGrowAndEnd() {
    var policy = ReconnectPolicy(limit: nil)
    let pauses = (0..<9).compactMap { _ in policy.nextPause(dice: 1) }
    #expect(pauses.map { Double($0) / 1e9 } == [0.5, 1, 2, 4, 8, 16, 30, 30, 30])
    for _ in 0..<1000 { #expect(policy.nextPause(dice: 1) == ReconnectPolicy.longestPause) }
  }

  @Test func theDiceTakeUpToAHalf() {
    for (dice, share) in [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0), (7.0, 1.0), (-1.0, 0.5)] {
      var policy = ReconnectPolicy(limit: nil)
      #expect(policy.nextPause(dice: dice) == Int64(share * Double(ReconnectPolicy.firstPause)))
    }
  }

  @Test func attemptsAreCountedInARow() {
    var policy = ReconnectPolicy(limit: 2)
    #expect(policy.nextPause(dice: 1) != nil)
    policy.ended(lifetime: ReconnectPolicy.goodLifetime - 1)
    #expect(policy.nextPause(dice: 1) == second)
    #expect(policy.nextPause(dice: 1) == nil)
    policy.ended(lifetime: ReconnectPolicy.goodLifetime)
    #expect(policy.attempts == 0)
    #expect(policy.nextPause(dice: 1) == second / 2)
  }
}
