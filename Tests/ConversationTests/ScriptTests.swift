import Conversation
import Testing
import WebSocketProtocol

/// The step language: what is understood, and how mistakes are told.
@Suite struct ScriptParserTests {
  private func actions(_ text: String) throws -> [Script.Action] {
    try Script.parse(Array(text.utf8)).steps.map(\.action)
  }

  @Test func everyStep() throws {
    let text = """
      connect ws://h/$X
      > text  \r
      >b 00 ff
      >e a\\n\\u{e9}\\\\
      >@ a file
      < exact
      <
      <e \\0
      <b 00FF
      <~ ^a$ -> NAME
      <json .op == "pong" -> ID
      wait 1s
      expect-none 20ms
      ping
      ping x
      close
      close 4000 a reason
      expect-close
      expect-close 1008,4000-4999
      """
    let codes = try #require(CloseCodes("1008,4000-4999"))
    #expect(
      try actions(text) == [
        .connect(Template("ws://h/$X")), .send(Template("text  ")),
        .sendBytes([0x00, 0xFF]), .send(Template("a\né\\")),
        .sendFile(Template("a file")), .expect(.text(Template("exact")), capture: nil),
        .expect(.text(Template("")), capture: nil), .expect(.text(Template("\0")), capture: nil),
        .expect(.binary([0, 255]), capture: nil),
        .expect(.pattern(Template("^a$")), capture: "NAME"),
        .expect(.json(Template(".op == \"pong\"")), capture: "ID"), .wait(1_000_000_000),
        .expectNone(20_000_000), .ping(Template("")), .ping(Template("x")),
        .close(.normal, reason: Template("")),
        .close(CloseCode(rawValue: 4000), reason: Template("a reason")), .expectClose(nil),
        .expectClose(codes),
      ])
  }

  @Test func theNamelessConnectionIsOpenedByItsFirstStep() throws {
    #expect(try actions("wait 1s\n> a").map { $0 == .connect(nil) } == [false, true, false])
    #expect(try actions("connect\n> a").count == 2)
    let chat = try Script.parse(Array("@a connect\n@a > x\n > y\n\t@a < y".utf8))
    #expect(chat.steps.map(\.connection) == ["a", "a", nil, nil, "a"])
    #expect(chat.steps.map(\.line) == [1, 2, 3, 3, 4])
    #expect(chat.connectionCount == 2)
  }

  @Test(arguments: [
    ("\n\n>a", 3, "a space is needed behind >"), ("<jsonx", 1, "a space is needed behind <json"),
    (">b 0", 1, "an even number of hexadecimal digits is needed"),
    (">e \\x", 1, "\\x means nothing: \\n \\r \\t \\0 \\\\ and \\u{...} do"),
    (">e \\", 1, "a backslash at the end of the line escapes nothing"),
    (">e \\u{d800}", 1, "\\u{...} needs the number of a character, in hexadecimal"),
    (">@", 1, "the name of a file is missing"), ("<json", 1, "what is expected is missing"),
    ("<json .a = 1", 1, "= is no comparison; == is"),
    ("<json -> ID", 1, "what is expected is missing"),
    ("<json .a -> 1D", 1, "\"1D\" is no name for a variable"), ("wait", 1, "a duration is missing"),
    ("wait soon", 1, "\"soon\" is no duration: 200ms, 1s and 2m are"),
    ("expect-close 999", 1, "codes are from 1000 to 4999, as in 1008,4000-4999"),
    ("@ > a", 1, "behind @ the name of a connection and a space are needed"),
    ("@b", 1, "behind @ the name of a connection and a space are needed"),
    ("connct", 1, "\"connct\" is no step; did you mean connect?"),
    ("@b > x", 1, "@b was not opened: that is done by @b connect"), ("", 0, "it has no steps"),
  ])
  func mistakesAreTold(_ text: String, _ line: Int, _ problem: String) throws {
    let error = #expect(throws: ScriptError.self) { try Script.parse(Array(text.utf8)) }
    #expect(error?.line == line)
    #expect(error?.problem == problem)
  }

  @Test(arguments: ["<~ (", "close 1006", "close x", "\u{1}"])
  func moreMistakes(_ text: String) {
    #expect(throws: ScriptError.self) { try Script.parse(Array(text.utf8)) }
  }

  @Test func bytesThatAreNoTextAreNoScript() {
    #expect(throws: ScriptError.self) { try Script.parse([0x3E, 0x20, 0xFF]) }
  }

  @Test func variablesThatNothingSets() throws {
    let script = try Script.parse(
      Array("> $A ${B}$C\n<json .x -> D\n> $D$A $$E ${F $1\n<json .y == $G".utf8))
    #expect(script.free.map(\.name) == ["A", "B", "C", "G"])
    #expect(script.free.map(\.step.line) == [1, 1, 1, 4])
  }

  @Test func variablesAreFilledIn() {
    var variables = ScriptVariables(environment: ["A": "a.b\"", "N": "env"])
    variables.set("N", .number("7"))
    variables.set("O", .object([]))
    #expect(variables.text(Template("$A/${N}x/$O/$$A/$")) == "a.b\"/7x/{}/$A/$")
    #expect(variables.pattern(Template("^$A$")) == "^a\\.b\"$")
    #expect(
      variables.json(Template(#".x == $A, $N, "$A\"$N" $O"#))
        == #".x == "a.b\"", 7, "a.b\"\"7" {}"#)
  }

  @Test func whatIsCaptured() throws {
    let variables = ScriptVariables(environment: [:])
    func value(_ want: Script.Want, _ text: String) throws -> JSONValue? {
      try ScriptExpectation(want, variables).value(.text, Array(text.utf8))
    }
    #expect(try value(.json(Template(".a.b")), #"{"a":{"b":[1]}}"#) == .array([.number("1")]))
    #expect(try value(.json(Template("1 == .a")), #"{"a":1.0}"#) == .number("1.0"))
    #expect(try value(.json(Template(".a == 2")), #"{"a":1}"#) == nil)
    #expect(try value(.pattern(Template("x(.)z")), "wxyz") == .string("y"))
    #expect(try value(.pattern(Template("x.")), "wxyz") == .string("xy"))
    #expect(try value(.text(Template("t")), "t") == .string("t"))
    let binary = try ScriptExpectation(.text(Template("t")), variables).value(.binary, [0x74])
    #expect(binary == nil)
  }
}
