import NIOCore
import Terminal
import TestPeers
import Testing
import WebSocketProtocol

@testable import wscope

/// How messages look at the prompt.
@Suite(.blocking) struct MessageTextTests {
  private let start = NIODeadline.uptimeNanoseconds(5_000_000_000)

  private func look(_ change: (inout MessageText) -> Void = { _ in }) -> MessageText {
    // 2026-11-23T08:15:00.250Z
    var text = MessageText(
      Style(isOn: false), start: start, startOfClock: 1_795_421_700_250_000_000)
    change(&text)
    return text
  }

  private func message(
    _ payload: String, after time: TimeAmount = .zero, isIncoming: Bool = true
  ) -> ShownMessage {
    ShownMessage(
      isIncoming: isIncoming, kind: .text, payload: ByteBuffer(string: payload), wire: 7,
      time: start + time, number: 3)
  }

  @Test func marksOfDirection() {
    var text = look()
    #expect(text.lines(message("hello")) == "< hello\n")
    #expect(text.lines(message("hello", isIncoming: false)) == "> hello\n")
    #expect(text.lines(message("")) == "< \n")
    #expect(text.lines(message("a\n* closed\n")) == "< a\n  * closed\n  \n")
  }

  @Test func times() {
    var text = look { $0.timestamps = .iso }
    #expect(
      text.lines(message("a", after: .milliseconds(1750))) == "2026-11-23T08:15:02.000Z < a\n")
    text = look { $0.timestamps = .rel }
    #expect(text.lines(message("a", after: .milliseconds(1750))) == "   1.750 < a\n")
    text = look { $0.timestamps = .delta }
    #expect(text.lines(message("a", after: .milliseconds(1750))) == "  +1.750 < a\n")
    #expect(text.lines(message("b", after: .milliseconds(1752))) == "  +0.002 < b\n")
  }

  @Test func sizesAndRoundTrips() {
    var text = look { $0.verbosity = 1 }
    #expect(text.lines(message("hello")) == "< 5 B  hello\n")
    text = look { $0.verbosity = 2 }
    #expect(text.lines(message("hello")) == "< 5 B, 7 B on the wire (140 %)  hello\n")
    text = look()
    var reply = message("hello")
    reply.roundTrip = 1_230_000
    #expect(text.lines(reply) == "< hello (rtt 1.23 ms)\n")
  }

  @Test func longMessagesAreCut() {
    var text = look()
    let long = message(String(repeating: "x", count: ControlCharacters.displayLimit + 1234))
    let shown = text.lines(long)
    #expect(shown.hasSuffix("x... 1234 more bytes; /save FILE 3 writes all of it\n"))
    #expect(shown.utf8.count < ControlCharacters.displayLimit + 100)
  }

  @Test func binaryIsDumpedAsWideAsTheTerminal() {
    let binary = ShownMessage(
      isIncoming: true, kind: .binary, payload: ByteBuffer(bytes: [0, 255, 65, 10, 27]), time: start
    )
    var text = look()
    #expect(
      text.lines(binary)
        == "< binary 5 B \n  00000000  00 ff 41 0a 1b                                    |..A..|\n")
    for columns in [80, 60, 40, 30] {
      text.columns = columns
      let rows = text.lines(
        ShownMessage(
          isIncoming: true, kind: .binary, payload: ByteBuffer(repeating: 65, count: 40),
          time: start)
      ).split(separator: "\n")
      #expect(rows.allSatisfy { $0.count <= columns }, "\(columns): \(rows)")
    }
  }

  @Test func JSONIsIndented() {
    var text = look { $0.indentsJSON = true }
    #expect(text.lines(message("{\"b\":1}")) == "< {\n    \"b\": 1\n  }\n")
    #expect(text.lines(message("no json")) == "< no json\n")
    #expect(text.lines(message("{}\u{1E}")) == "< {}\n")
    // What looks like JSON and is not is explained.
    #expect(
      text.lines(message("{\"a\":1,}"))
        == "< {\"a\":1,} (not JSON: expected a member name (byte 7))\n"
    )
  }
}

@Suite(.blocking) struct JSONTextTests {
  private func indented(_ text: String, style: Style = Style(isOn: false)) -> String? {
    JSONText(style: style).indented(Array(text.utf8))?.text
  }

  @Test func orderNumbersAndStringsStay() {
    let text =
      #"{"z":1.0,"a":-0.10e+5,"z":12345678901234567890,"s":"a\u0041\"\\,{}","e":{},"f":[ ],"n":[null,true]}"#
    #expect(
      indented(text) == #"""
        {
          "z": 1.0,
          "a": -0.10e+5,
          "z": 12345678901234567890,
          "s": "a\u0041\"\\,{}",
          "e": {},
          "f": [],
          "n": [
            null,
            true
          ]
        }
        """#)
    for scalar in ["1", "\"x\"", "null", "[]", "{}", " -1.50 "] {
      #expect(indented(scalar) == scalar.filter { $0 != " " })
    }
  }

  /// Without its own blanks and breaks it is the text without the blanks between its tokens.
  @Test func nothingIsAddedButBlanks() {
    let text = #" { "a" : [ 1 , 2.50 , { "b c" : "d  e" } ] , "f" : false } "#
    let tokens = #"{"a":[1,2.50,{"b c":"d  e"}],"f":false}"#
    let lines = (indented(text) ?? "").split(separator: "\n").map { line in
      line.drop { $0 == " " }
    }
    #expect(lines.joined().replacing("\": ", with: "\":") == tokens)
  }

  @Test(arguments: ["", "{", "hello", "{\"a\":}", "[1,]", "{\"a\":1}x", "\u{feff}{}"])
  func whatIsNoJSONIsLeftAlone(_ text: String) { #expect(indented(text) == nil) }

  @Test func strangersCharactersAreEscaped() {
    #expect(indented("\"a\u{202e}\u{9b}31m\u{7f}\"") == #""a\u{202e}\u{9b}31m\x7f""#)
    let kept = JSONText(style: Style(isOn: false), escapes: false).indented(
      Array("\"\u{202e}\"".utf8))
    #expect(kept?.text == "\"\u{202e}\"")
  }

  @Test func colors() {
    let text = indented(#"{"a":["s",1,null]}"#, style: Style(isOn: true))
    #expect(
      text
        == "{\n  \u{1b}[36m\"a\"\u{1b}[0m: [\n    \u{1b}[32m\"s\"\u{1b}[0m,\n    \u{1b}[33m1\u{1b}[0m,\n    \u{1b}[1mnull\u{1b}[0m\n  ]\n}"
    )
  }

  @Test func aLongTextIsCut() {
    let text = "[" + String(repeating: "1,", count: 50_000) + "1]"
    let cut = JSONText(style: Style(isOn: false)).indented(Array(text.utf8), limit: 1000)
    #expect(cut?.isCut == true)
    #expect((cut?.text.utf8.count ?? 0) < 1100)
    let string = "\"" + String(repeating: "x", count: 5000) + "\""
    let cutString = JSONText(style: Style(isOn: false)).indented(Array(string.utf8), limit: 1000)
    #expect(cutString?.isCut == true)
    #expect((cutString?.text.utf8.count ?? 0) <= 1000)
  }
}

@Suite(.blocking) struct RedactionTests {
  @Test(arguments: [
    ("ws://h/p", "ws://h/p"), ("ws://user:pw@h/p", "ws://h/p"), ("ws://h/p@q", "ws://h/p@q"),
    ("ws://h/?a=1&token=abc&b=2", "ws://h/?a=1&token=***&b=2"),
    ("/p?X-Api-Key=abc", "/p?X-Api-Key=***"), ("/p?sig=&auth", "/p?sig=***&auth"),
    ("ws://u:p@[::1]:80/?password=x", "ws://[::1]:80/?password=***"),
  ])
  func urls(_ text: String, _ shown: String) {
    #expect(Redaction.url(text) == shown)
    #expect(Redaction.url(shown) == shown)
  }

  @Test(arguments: [
    ("Authorization", true), ("proxy-authorization", true), ("Cookie", true), ("SET-COOKIE", true),
    ("X-Api-Key", true), ("X-Auth-Token", true), ("Sec-WebSocket-Key", false), ("Host", false),
  ])
  func headers(_ name: String, _ isSecret: Bool) {
    #expect(Redaction.isSecret(header: name) == isSecret)
    #expect(
      Redaction.value("v", of: name, showsSecrets: false)
        == (isSecret ? Redaction.replacement : "v"))
    #expect(Redaction.value("v", of: name, showsSecrets: true) == "v")
  }

  @Test func linesOfThePrompt() {
    #expect(Redaction.line("/connect ws://u:p@h/?key=1") == "/connect ws://h/?key=***")
    #expect(Redaction.line("{\"token\":1}") == "{\"token\":1}")
  }

  /// What came last and what was agreed on, in the words of the end.
  @Test func theEndOfAConnectionInWords() {
    func line(_ outcome: CloseOutcome, _ circumstances: CloseCircumstances = .init()) -> String {
      CloseText.line(outcome, circumstances)
    }
    let graphQL = CloseCircumstances(subprotocol: "graphql-transport-ws")
    let unauthorized = CloseOutcome.closed(
      frame: CloseFrame(CloseCode(rawValue: 4401), reason: "who?"), by: .peer)
    #expect(line(unauthorized, graphQL) == "closed 4401 unauthorized \"who?\" (by the peer)")
    #expect(
      line(unauthorized) == "closed 4401 private to the application \"who?\" (by the peer)")
    let idle = CloseCircumstances(idle: 61_500_000_000)
    #expect(
      line(.lost(.endOfStream), idle)
        == "connection lost: 1006, no Close frame (the peer ended the TCP connection; "
        + "idle for \(Figures.shortDuration(61_500_000_000)))")
    #expect(
      line(.lost(.timedOut(.ping)), idle).contains("(no pong from the peer in time; idle for "))
    #expect(
      line(.lost(.reset(errno: 104)))
        == "connection lost: 1006, no Close frame (TCP reset by the peer)")
  }
}
