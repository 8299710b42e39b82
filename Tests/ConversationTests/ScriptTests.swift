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
      <*
      <* -> ALL
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
        .expect(.json(Template(".op == \"pong\"")), capture: "ID"),
        .expect(.any, capture: nil), .expect(.any, capture: "ALL"), .wait(1_000_000_000),
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
    ("\n\n>a", 3, "a space is required after >"),
    ("<jsonx", 1, "a space is required after <json"),
    (">b 0", 1, "an even number of hexadecimal digits is required"),
    (">e \\x", 1, "unknown escape \\x (expected \\n \\r \\t \\0 \\\\ or \\u{...})"),
    (">e \\", 1, "a backslash at the end of the line escapes nothing"),
    (">e \\u{d800}", 1, "\\u{...} requires the hexadecimal number of a character"),
    (">@", 1, "the name of a file is missing"), ("<json", 1, "what is expected is missing"),
    ("<json .a = 1", 1, "= is not a comparison; use =="),
    ("<json -> ID", 1, "what is expected is missing"),
    ("<json .a -> 1D", 1, "invalid variable name \"1D\""), ("wait", 1, "a duration is missing"),
    ("wait soon", 1, "invalid duration \"soon\" (expected 200ms, 1s or 2m)"),
    (
      "expect-close 999", 1,
      "invalid close code \"999\" (expected 1000 to 4999, as in 1008,4000-4999)"
    ),
    (
      "close 1006", 1,
      "invalid close code \"1006\" (expected 1000 to 1003, 1007 to 1014 or 3000 to 4999)"
    ),
    ("@ > a", 1, "@ requires the name of a connection and a space after it"),
    ("@b", 1, "@ requires the name of a connection and a space after it"),
    ("connct", 1, "unknown step \"connct\"; did you mean connect?"),
    ("clse", 1, "unknown step \"clse\"; did you mean close?"),
    ("@b > x", 1, "@b is not open: open it with @b connect"), ("", 0, "the script has no steps"),
    ("<* x", 1, "<* takes nothing but -> NAME"),
    ("status 401", 1, "status is only available in listen"),
    ("nothing", 1, "nothing must follow EVENT =>"),
    ("replace x", 1, "replace requires --tap"),
    ("time a < b", 1, "time is only available in bench"),
    ("publish", 1, "publish is only available in bench"),
    ("=> > a", 1, "=> continues a rule, but the line above is not a rule"),
    ("< a => > b\n=>> c", 2, "a space is required after =>"),
    ("< a =>", 1, "a rule needs => and an action, as in: open => > hello"),
    ("once < a", 1, "a rule needs => and an action, as in: open => > hello"),
    ("every 1s", 1, "a rule needs => and an action, as in: open => > hello"),
    (
      "< a => b", 1,
      #"unknown action "b" after =>; to wait for a text that contains " => " write <e a \u{3d}> b"#
    ),
    ("<~ a => clos", 1, "unknown action \"clos\"; did you mean close?"),
    ("< a => < b", 1, "< cannot be the action of a rule"),
    ("< a => @b", 1, "an action is missing after @b"),
    ("< a => > $1", 1, "$1 requires a regular expression (<~) before =>"),
    ("every 1s => > ${.id}", 1, "${.id} requires a message: every has none"),
    ("every 1s => > $MESSAGE", 1, "$MESSAGE requires a message: every has none"),
    ("<* -> MESSAGE", 1, "$MESSAGE is predefined: choose another name"),
    ("<* => > ${?name}", 1, "${?name} is only available in listen"),
    ("every 9ms => ping", 1, "every must be at least 10ms"),
    ("once every 1s => ping", 1, "once is for messages: every has ranges, as in open 1"),
    ("once hello => ping", 1, "unknown event \"hello\""),
    ("<~ ^(.*)$ => >@ $1", 1, "the file name of >@ must not come from a peer"),
    ("open => > a", 1, "open is only available in a rules file"),
    ("@/x < a => > b", 1, "@/x is only available in a rules file"),
    (
      "> a\n< b\n<* => nothing\n< c", 3,
      "this rule takes every message: the steps in lines 2 and 4 can never be met"
    ),
  ])
  func mistakesAreTold(_ text: String, _ line: Int, _ problem: String) throws {
    let error = #expect(throws: ScriptError.self) { try Script.parse(Array(text.utf8)) }
    #expect(error?.line == line)
    #expect(error?.problem == problem)
  }

  @Test(arguments: ["<~ (", "close x", "\u{1}"])
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
    #expect(script.free.map(\.line) == [1, 1, 1, 4])
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
      let answer = try ScriptExpectation(want, variables).answer(to: .text, Array(text.utf8))
      return if case .fits(let value) = answer { value } else { nil }
    }
    #expect(try value(.json(Template(".a.b")), #"{"a":{"b":[1]}}"#) == .array([.number("1")]))
    #expect(try value(.json(Template("1 == .a")), #"{"a":1.0}"#) == .number("1.0"))
    #expect(try value(.json(Template(".a == 2")), #"{"a":1}"#) == nil)
    #expect(try value(.pattern(Template("x(.)z")), "wxyz") == .string("y"))
    #expect(try value(.pattern(Template("x.")), "wxyz") == .string("xy"))
    #expect(try value(.text(Template("t")), "t") == .string("t"))
    let text = try ScriptExpectation(.text(Template("t")), variables)
    #expect(text.answer(to: .binary, [0x74]) == .differs(nil))
  }

  // MARK: Rules

  private func rules(
    _ text: String, _ context: ScriptContext = .listenRules
  ) throws -> [Script.Rule] {
    try Script.parse(Array(text.utf8), context: context).rules
  }

  @Test func everyRule() throws {
    let rules = try rules(
      """
      open                         => > {"type":"welcome","you":$CONN}
      < ping => > pong
      <~ ^hello (\\w+)              => > hi $1
      <json .op == "sub"           => > {"ok":true,"channel":"${.channel}","id":${.id}}
                                   => wait 500ms
                                   => > {"tick":1}
      every 30s                    => ping
      @/chat* <*                   => @others > $MESSAGE
      once < login                 => > denied
      upgrade 1-3                  => status 503
      closed => @all >e gone\\n
      < x => @3 close 4000 bye
      <b 00 => @/a > b
      upgrade 2- => stall
      """)
    #expect(rules.map(\.line) == [1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13, 14])
    #expect(
      rules.map(\.event) == [
        .open(1...Int.max), .message(.text(Template("ping")), capture: nil),
        .message(.pattern(Template("^hello (\\w+)")), capture: nil),
        .message(.json(Template(".op == \"sub\"")), capture: nil), .every(30_000_000_000),
        .message(.any, capture: nil), .message(.text(Template("login")), capture: nil),
        .upgrade(1...3), .closed, .message(.text(Template("x")), capture: nil),
        .message(.binary([0]), capture: nil), .upgrade(2...Int.max),
      ])
    #expect(rules[3].actions.map(\.line) == [4, 5, 6])
    #expect(rules[5].scope == .path("/chat*"))
    #expect(rules[5].actions[0].target == .others)
    #expect(rules[6].isOnce)
    #expect(rules[7].actions[0].action == .status(503, Template("")))
    #expect(rules[9].actions[0].target == .client(3))
    #expect(rules[10].actions[0].target == .path("/a"))
  }

  @Test(arguments: [
    ("> a", "a rules file takes no steps: write EVENT => ACTION"), ("", "the file has no rules"),
    ("closed => > a", "name a target: the client of a closed rule is gone"),
    ("open => > ${.id}", "${.id} requires a message: open has none"),
    ("open => status 500", "status must be the only step, or follow upgrade =>"),
    ("upgrade => > a", "upgrade takes the actions status, wait, reset and stall"),
    ("upgrade => status 99", "invalid status \"99\" (expected 200 to 599)"),
    ("open 3-1 => > a", "invalid range \"3-1\" (expected 3, 1-3 or 4-)"),
    ("< a => @up > b", "@up requires --tap"), ("@up < a => > b", "@up requires --tap"),
    ("< a => @x > b", "unknown target @x (expected @all, @others, @3 or @/PATH)"),
    ("@bob < a => > b", "@bob is not available in listen"),
    ("<* -> CONN => > b", "$CONN is predefined: choose another name"),
    ("opne => > a", "unknown event \"opne\"; did you mean open?"),
  ])
  func mistakesOfRules(_ text: String, _ problem: String) throws {
    // A word that is neither an event nor an action makes a step, unless a scope or `once` is before it.
    let text = text.hasPrefix("opne") ? "@/ " + text : text
    let error = #expect(throws: ScriptError.self) { try rules(text) }
    #expect(error?.problem == problem)
  }

  @Test func limitsOfAFile() throws {
    let many = String(repeating: "< a => nothing\n", count: 10_001)
    #expect(
      #expect(throws: ScriptError.self) { try rules(many) }?.problem == "more than 10000 rules")
    let long = "< a => nothing\n" + String(repeating: "=> nothing\n", count: 64)
    #expect(
      #expect(throws: ScriptError.self) { try rules(long) }?.problem
        == "more than 64 actions in one rule")
    let large = "# " + String(repeating: "x", count: 1 << 20)
    #expect(#expect(throws: ScriptError.self) { try rules(large) }?.problem == "larger than 1 MiB")
    #expect(
      #expect(throws: ScriptError.self) {
        try Script.parse(Array("> a\nstatus 401".utf8), context: .listenScript)
      }?.problem == "status must be the only step, or follow upgrade =>")
    #expect(
      #expect(throws: ScriptError.self) {
        try Script.parse(Array("connect".utf8), context: .listenScript)
      }?.problem == "connect is not available in listen")
  }

  /// A line with an arrow is a rule only after a `<` word or an event.
  @Test func arrowsInOtherLinesAreText() throws {
    #expect(
      try actions("> a => b\n<e a \\u{3d}> b\n< a -> b\n< a=> b") == [
        .connect(nil), .send(Template("a => b")), .expect(.text(Template("a => b")), capture: nil),
        .expect(.text(Template("a -> b")), capture: nil),
        .expect(.text(Template("a=> b")), capture: nil),
      ])
  }

  @Test func variablesOfRules() throws {
    let script = try Script.parse(
      Array("> $A\n<json .s -> S\n< $B => > $S$C$MESSAGE\n<~ x -> A => nothing".utf8))
    #expect(script.free.map(\.name) == ["B", "C"])
  }

  @Test func textsOfRulesAreFilledIn() throws {
    var variables = ScriptVariables(environment: [:])
    variables.groups = ["ab\"c", "b\""]
    variables.record = try JSONValue.parse(Array(#"{"id":7}"#.utf8))
    variables.query = ["name": "ann"]
    func filled(_ text: String) -> String { variables.text(Template(rule: text)) }
    #expect(filled("hi $1 $0 $2.") == "hi b\" ab\"c .")
    #expect(filled(#"{"id":${.id},"x":${.no},"t":"$1"}"#) == #"{"id":7,"x":null,"t":"b\""}"#)
    #expect(filled("${.id} ${.no} ${?name} ${?no} $$1 $x") == "7  ann  $1 null")
    #expect(filled("$1") == "b\"")
    #expect(filled("\"$1\"") == "\"b\\\"\"")
    #expect(filled("${?} ${.a == 1} ${") == "${?} ${.a == 1} ${")
  }
}
