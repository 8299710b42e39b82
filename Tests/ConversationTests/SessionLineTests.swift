import Conversation
import Testing
import WebSocketProtocol

/// PRODUCT 1.4: lines of JSON that can be sent.
@Suite struct SessionLineTests {
  private func check(
    _ line: String, _ expected: SessionLine, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    do throws(SessionLineError) {
      let parsed = try SessionLine.parse(Array(line.utf8))
      #expect(parsed == expected, sourceLocation: sourceLocation)
    } catch {
      Issue.record("\(line): \(error)", sourceLocation: sourceLocation)
    }
  }

  private func refuse(
    _ line: String, _ expected: SessionLineError, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(throws: expected, "\(line)", sourceLocation: sourceLocation) {
      try SessionLine.parse(Array(line.utf8))
    }
  }

  @Test func messages() {
    let text = SessionLine.message(.text, Array("hello".utf8))
    check(#"{"event":"message","text":"hello"}"#, text)
    check(
      #"{"v":1,"t":0.05,"conn":1,"event":"message","dir":"in","type":"text","size":5,"wire":9,"text":"hello"}"#,
      text)
    check(#" { "text" : "hello" , "event" : "message" } "#, text)
    check(#"{"event":"message","text":""}"#, .message(.text, []))
    check(#"{"event":"message","text":"\ud83d\ude00\u0000"}"#, .message(.text, Array("😀\0".utf8)))
    check(#"{"event":"message","base64":"AP8BCoA="}"#, .message(.binary, [0, 255, 1, 10, 128]))
    check(#"{"event":"message","base64":""}"#, .message(.binary, []))
    // What is no text is none.
    check(#"{"event":"message","text":null,"base64":"AA=="}"#, .message(.binary, [0]))
    // Of two the text counts, of one name the last.
    check(#"{"event":"message","text":"hello","base64":"AA=="}"#, text)
    check(#"{"event":"x","event":"message","text":"bye","text":"hello"}"#, text)
  }

  @Test func otherEventsAreReadOver() {
    for event in ["open", "close", "ping", "", "Message", "message "] {
      check(#"{"event":"\#(event)","text":"hello"}"#, .other(event: event))
    }
    check(#"{"event":"close","code":1000,"reason":"x"}"#, .other(event: "close"))
  }

  @Test func linesThatAreWrong() {
    for line in ["1", "null", "[]", #""message""#, #"[{"event":"message"}]"#] {
      refuse(line, .notAnObject)
    }
    for line in ["{}", #"{"text":"x"}"#, #"{"event":1}"#, #"{"event":null,"text":"x"}"#] {
      refuse(line, .noEvent)
    }
    for line in [
      #"{"event":"message"}"#, #"{"event":"message","text":1}"#,
      #"{"event":"message","text":["x"]}"#, #"{"event":"message","base64":5}"#,
      #"{"event":"message","Text":"x"}"#,
    ] {
      refuse(line, .noPayload)
    }
    for base64 in ["A", "AA", "AAA", "A===", "AA-_", " AAA", "AAAA\\n", "é"] {
      refuse(#"{"event":"message","base64":"\#(base64)"}"#, .notBase64)
    }
  }

  @Test func linesThatAreNoJSON() {
    for (line, offset) in [("", 0), ("hello", 0), (#"{"event":"message""#, 18), ("{} x", 3)] {
      do throws(SessionLineError) {
        let parsed = try SessionLine.parse(Array(line.utf8))
        Issue.record("\(line): \(parsed)")
      } catch {
        guard case .notJSON(let problem) = error else {
          Issue.record("\(line): \(error)")
          continue
        }
        #expect(problem.offset == offset)
      }
    }
  }
}
