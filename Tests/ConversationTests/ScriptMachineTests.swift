import Conversation
import Testing
import WebSocketProtocol

/// The step machine: events and the time in, effects out. Nothing here waits.
@Suite struct ScriptMachineTests {
  /// What happens, at a time in ms.
  private enum Given {
    case opened(Int)
    case performed
    case refused(ScriptMachine.Obstacle)
    case text(Int, String)
    case binary(Int, [UInt8])
    case pong(Int, String)
    case ended(Int, CloseOutcome)
    case time(Int64)
  }

  private static let normal = CloseOutcome.closed(frame: CloseFrame(.normal), by: .peer)

  /// Plays a script and lists its effects, a line each; performing is answered at once unless
  /// `answers` is false.
  private func play(
    _ lines: String, answers: Bool = true, _ given: Given...,
    limits: ScriptMachine.Limits? = nil, environment: [String: String] = [:]
  ) throws -> (effects: [String], machine: ScriptMachine) {
    let script = try Script.parse(Array(lines.utf8))
    var machine = ScriptMachine(
      script, variables: ScriptVariables(environment: environment),
      limits: limits ?? ScriptMachine.Limits(wait: 10_000_000_000))
    var moment = ScriptMachine.Moment(monotonic: 0)
    var lines: [String] = []
    func handle(_ event: ScriptMachine.Event) {
      var events = [event]
      while !events.isEmpty {
        var effects: [ScriptMachine.Effect] = []
        machine.handle(events.removeFirst(), at: &moment, into: &effects)
        for effect in effects {
          lines.append(Self.line(effect))
          guard answers, effect.origin == .step else { continue }
          if case .connect(let id, _, _) = effect.work { events.append(.opened(id)) }
          events.append(.performed)
        }
      }
    }
    handle(.start)
    for one in given {
      switch one {
      case .opened(let id): handle(.opened(id))
      case .performed: handle(.performed)
      case .refused(let obstacle): handle(.notPerformed(obstacle))
      case .text(let id, let text): handle(.message(id, .text, Array(text.utf8)))
      case .binary(let id, let bytes): handle(.message(id, .binary, bytes))
      case .pong(let id, let text): handle(.pong(id, Array(text.utf8)))
      case .ended(let id, let outcome): handle(.ended(id, outcome))
      case .time(let milliseconds):
        moment.monotonic = milliseconds * 1_000_000
        handle(.due)
      }
    }
    return (lines, machine)
  }

  private static func line(_ effect: ScriptMachine.Effect) -> String {
    let by = if case .rule(let line) = effect.origin { "rule \(line): " } else { "" }
    func to(_ destination: ScriptMachine.Destination) -> String {
      if case .connection(let id) = destination { "\(id)" } else { "clients" }
    }
    let what =
      switch effect.work {
      case .connect(let id, let name, let url): "connect \(id) \(name ?? "-") \(url ?? "-")"
      case .send(let target, .text, let payload):
        "\(to(target)) > \(String(decoding: payload, as: UTF8.self))"
      case .send(let target, .binary, let payload): "\(to(target)) >b \(payload)"
      case .sendFile(let target, let path): "\(to(target)) >@ \(path)"
      case .ping(let target, let payload):
        "\(to(target)) ping \(String(decoding: payload, as: UTF8.self))"
      case .close(let target, let frame): "\(to(target)) close \(frame.code?.rawValue ?? 0)"
      case .status(let target, let status, _): "\(to(target)) status \(status)"
      case .reset(let target): "\(to(target)) reset"
      case .stall(let target): "\(to(target)) stall"
      case .pauseReading(let id, let isPaused): "\(id) \(isPaused ? "pause" : "resume")"
      case .settle(let id): "\(id) settle"
      case .report(let report): "step \(report.index) \(report.failure == nil ? "met" : "failed")"
      case .tooManySteps(let rule, _): "rule \(rule) skipped"
      }
    return by + what
  }

  private func failure(_ machine: ScriptMachine) -> ScriptMachine.Failure? {
    guard case .failed(let report) = machine.result else { return nil }
    return report.failure
  }

  // MARK: Steps

  @Test func anExchange() throws {
    let (effects, machine) = try play(
      "> hello\n< hello\n> $X", .text(1, "hello"), environment: ["X": "y"])
    #expect(
      effects == ["connect 1 - -", "step 0 met", "1 > hello", "step 2 met", "1 > y"])
    #expect(machine.result == .done)
    #expect(machine.position == 4)
  }

  @Test func aStepIsDoneWhenItsEffectIs() throws {
    var played = try play("> a\n> b", answers: false)
    #expect(played.effects == ["connect 1 - -"])
    played = try play("> a\n> b", answers: false, .opened(1), .text(1, "x"), .performed)
    #expect(played.effects == ["connect 1 - -", "step 0 met", "1 > a"])
  }

  @Test func whatIsCapturedIsSent() throws {
    let (effects, _) = try play(
      "<json .id -> ID\n<~ a(.) -> G\n<* -> ALL\n> $ID$G$ALL", .text(1, "{\"id\":7}"),
      .text(1, "ab"), .binary(1, [0xFF, 1]))
    #expect(effects.last == "1 > 7bff01")
  }

  @Test func messagesThatDoNotFitAreDiscarded() throws {
    let (_, machine) = try play(
      "< a\n< b", .text(1, "x"), .text(1, "a"), .text(1, "y"), .time(10_001))
    guard case .nothing(10_000_000_000, let last?) = failure(machine) else {
      Issue.record("\(String(describing: machine.result))")
      return
    }
    #expect(last.payload == [0x79])
    #expect(last.wanted == [0x62])
  }

  @Test func messagesAreKeptForLaterSteps() throws {
    let (effects, machine) = try play(
      "wait 1s\n> a\n< x\n< y", .text(1, "early"), .time(1000), .text(1, "x"), .text(1, "y"))
    // The connection is opened by its first step, after the wait.
    #expect(effects == ["connect 1 - -", "step 1 met", "1 > a", "step 3 met", "step 4 met"])
    #expect(machine.result == .done)
  }

  @Test func silence() throws {
    #expect(try play("connect\nexpect-none 1s", .time(1000)).machine.result == .done)
    let (_, broken) = try play("connect\nexpect-none 1s", .time(500), .text(1, "x"))
    #expect(failure(broken) == .unexpected(.text, [0x78]))
    let (_, unread) = try play("connect\nwait 1s\nexpect-none 1s", .text(1, "x"), .time(1000))
    #expect(failure(unread) == .unexpected(.text, [0x78]))
  }

  @Test func pings() throws {
    let (effects, machine) = try play(
      "ping a\n< x", .pong(1, "other"), .text(1, "x"), .pong(1, "a"))
    #expect(effects == ["connect 1 - -", "step 0 met", "1 ping a", "step 1 met", "step 2 met"])
    #expect(machine.result == .done)
    #expect(failure(try play("ping", .time(10_000)).machine) == .nothing(10_000_000_000, last: nil))
    #expect(
      failure(try play("ping", .ended(1, Self.normal)).machine)
        == .ended(1, Self.normal, last: nil))
  }

  @Test func closes() throws {
    let lost = CloseOutcome.lost(.endOfStream)
    #expect(try play("expect-close 1000", .ended(1, Self.normal)).machine.result == .done)
    #expect(try play("expect-close 1006", .ended(1, lost)).machine.result == .done)
    #expect(
      failure(try play("expect-close 4000", .ended(1, Self.normal)).machine)
        == .unexpectedClose(1, Self.normal))
    #expect(failure(try play("expect-close", .ended(1, lost)).machine) == .unexpectedClose(1, lost))
    #expect(failure(try play("expect-close", .time(10_000)).machine) == .stillOpen(10_000_000_000))
    let ours = CloseOutcome.closed(frame: CloseFrame(.normal), by: .us)
    let (effects, machine) = try play(
      "close 4000 x\nwait 1s", .text(1, "late"), .ended(1, ours), .time(2000))
    #expect(effects == ["connect 1 - -", "step 0 met", "1 close 4000", "1 settle"])
    #expect(machine.result == .done)
  }

  @Test func obstacles() throws {
    let refused = try play("> a", answers: false, .opened(1), .performed, .refused(.closing(1)))
    #expect(refused.machine.result == nil)
    #expect(refused.machine.nextDeadline == 10_000_000_000)
    let ended = try play(
      "> a", answers: false, .opened(1), .performed, .refused(.closing(1)),
      .ended(1, Self.normal))
    #expect(failure(ended.machine) == .ended(1, Self.normal, last: nil))
    let late = try play(
      "> a", answers: false, .opened(1), .performed, .refused(.closing(1)), .time(10_000))
    #expect(failure(late.machine) == .closing)
    #expect(failure(try play("> a", answers: false, .refused(.notOpened)).machine) == .notOpened)
    let file = try play(
      ">@ f", answers: false, .opened(1), .performed, .refused(.other("no such file")))
    #expect(failure(file.machine) == .other("no such file"))
  }

  @Test func namedConnections() throws {
    let (effects, _) = try play(
      "@a connect\n@b connect /x\n@a > hi\n@b < hi\n@b connect /y\n@b > again", .text(1, "hi"),
      .text(2, "hi"))
    #expect(
      effects == [
        "connect 1 a -", "step 0 met", "connect 2 b /x", "step 1 met", "1 > hi", "step 3 met",
        "connect 3 b /y", "step 4 met", "3 > again",
      ])
  }

  // MARK: Rules

  @Test func theFirstRuleThatFitsTakesTheMessage() throws {
    let (effects, machine) = try play(
      """
      <~ ^h(.) => > 1 $1
      < hi => > 2
      once < only => > 3
      <json .op == "x" => > {"id":${.id}}
      < only => > 4
      <b 00 => > $MESSAGE
      < step
      """, .text(1, "hi"), .text(1, "only"), .text(1, "only"), .text(1, #"{"op":"x","id":"a\"b"}"#),
      .binary(1, [0]), .text(1, "other"), .text(1, "step"))
    #expect(
      effects == [
        "connect 1 - -", "step 0 met", "rule 1: 1 > 1 i", "rule 3: 1 > 3", "rule 5: 1 > 4",
        #"rule 4: 1 > {"id":"a\"b"}"#, "rule 6: 1 >b [0]", "step 1 met",
      ])
    #expect(machine.result == .done)
  }

  @Test func rulesAreInvisibleToSteps() throws {
    #expect(
      try play("< beat => nothing\nconnect\nexpect-none 1s", .text(1, "beat"), .time(1000))
        .machine.result == .done)
  }

  @Test func aWaitDelaysLaterActionsOfTheConnection() throws {
    let lines = "< a => > 1\n=> wait 1s\n=> > 2\n< b => > 3\nconnect\nwait 60s"
    let (effects, machine) = try play(lines, .text(1, "a"), .text(1, "b"), .time(999))
    #expect(effects.dropFirst(2) == ["rule 1: 1 > 1"])
    #expect(machine.nextDeadline == 1_000_000_000)
    let later = try play(lines, .text(1, "a"), .text(1, "b"), .time(1000)).effects
    #expect(later.dropFirst(2) == ["rule 1: 1 > 1", "rule 1: 1 > 2", "rule 4: 1 > 3"])
  }

  @Test func aRuleCloses() throws {
    let ours = CloseOutcome.closed(frame: CloseFrame(.normal), by: .us)
    let (effects, machine) = try play(
      "< bye => close 4001\nconnect\n< x", .text(1, "bye"), .ended(1, ours))
    #expect(effects.dropFirst(2).first == "rule 1: 1 close 4001")
    #expect(failure(machine) == .ended(1, ours, last: nil))
  }

  /// The longest exact text bounds what is looked up; a longer message is another one.
  @Test func exactTextsOfEachLength() throws {
    let (effects, _) = try play(
      "< ab => > 1\n<b 000102 => > 2\n< => > 3\nconnect\nwait 1s", .text(1, "ab"), .text(1, "abc"),
      .text(1, "abcd"), .text(1, ""), .binary(1, [0, 1, 2]), .binary(1, [0x61, 0x62]))
    #expect(effects.dropFirst(2) == ["rule 1: 1 > 1", "rule 3: 1 > 3", "rule 2: 1 > 2"])
  }

  @Test func timers() throws {
    let (effects, machine) = try play(
      "every 1s => > tick\nconnect\nwait 60s", .time(999), .time(1000), .time(3500), .time(3999),
      .time(4000))
    // The ticks at 2 s and 3 s were missed: one comes for both.
    #expect(effects.dropFirst(2) == Array(repeating: "rule 1: 1 > tick", count: 3)[...])
    #expect(machine.nextDeadline == 5_000_000_000)
    let ended = try play(
      "every 1s => > tick\nconnect\nwait 60s", .ended(1, Self.normal), .time(5000))
    #expect(ended.effects.count == 2)
  }

  @Test func scopesAndTargets() throws {
    let (effects, _) = try play(
      "@a <* => @b > $MESSAGE\n@b < x => @c > no\n@a connect\n@b connect\nwait 1s",
      .text(1, "x"), .text(2, "x"), .text(2, "y"))
    #expect(effects.dropFirst(4) == ["rule 1: 2 > x"])
  }

  @Test func aPatternThatTakesTooLongIsSkipped() throws {
    let (effects, _) = try play(
      "<~ ^(a+)+$ => > no\n<~ b => > yes\nconnect\nwait 1s",
      .text(1, String(repeating: "a", count: 34) + "!b"))
    #expect(effects.dropFirst(2) == ["rule 1: rule 1 skipped", "rule 2: 1 > yes"])
  }

  @Test func capturesOfRulesAreShared() throws {
    let (effects, _) = try play(
      "<json .token -> T => > have $T\nconnect\n< go\n> $T", .text(1, #"{"token":"t1"}"#),
      .text(1, "go"))
    #expect(effects.suffix(3) == ["rule 1: 1 > have t1", "step 1 met", "1 > t1"])
  }

  // MARK: Bounds

  @Test func readingPausesWhileMuchWaits() throws {
    var limits = ScriptMachine.Limits(wait: 1_000_000_000)
    limits.keptBytes = 10
    let (effects, _) = try play(
      "connect\nwait 1s\n< last", .text(1, "123456"), .text(1, "123456"), .time(1000),
      limits: limits)
    #expect(effects == ["connect 1 - -", "step 0 met", "1 pause", "1 resume"])
    limits.waitingRuns = 2
    let (runs, _) = try play(
      "< a => wait 1s\n=> > b\nconnect\nwait 60s", .text(1, "a"), .text(1, "a"), .text(1, "a"),
      .text(1, "a"), .time(1000), .time(2000), .time(3000), limits: limits)
    #expect(
      runs.filter { $0.hasSuffix("pause") || $0.hasSuffix("resume") } == ["1 pause", "1 resume"])
  }

  /// Scripts made at random, with events made at random: no effect after the end, no deadline in the past,
  /// and every script ends when the time has come for all its steps.
  @Test func randomScriptsKeepTheRules() throws {
    var generator = Generator(state: 1)
    let steps = [
      "> a", "< a", "<* -> X", "ping", "expect-none 1s", "wait 1s", "expect-close", "close",
    ]
    let rules = [
      "< a => > b", "<* => wait 1s\n=> > $MESSAGE", "every 1s => ping", "once < b => close",
    ]
    for _ in 0..<1000 {
      let lines =
        (0..<Int.random(in: 0...2, using: &generator)).map { _ in
          rules.randomElement(using: &generator) ?? ""
        }
        + (1...Int.random(in: 1...6, using: &generator)).map { _ in
          steps.randomElement(using: &generator) ?? ""
        }
      // A rule may take every message before the steps, which is refused.
      guard let script = try? Script.parse(Array(lines.joined(separator: "\n").utf8)) else {
        continue
      }
      run(script, &generator)
    }
  }

  private func run(_ script: Script, _ generator: inout Generator) {
    var machine = ScriptMachine(
      script, variables: ScriptVariables(environment: [:]),
      limits: ScriptMachine.Limits(wait: 1_000_000_000))
    var moment = ScriptMachine.Moment(monotonic: 0)
    var events: [ScriptMachine.Event] = [.start]
    for _ in 0..<100 {
      let hadResult = machine.result != nil
      var effects: [ScriptMachine.Effect] = []
      machine.handle(events.isEmpty ? .due : events.removeFirst(), at: &moment, into: &effects)
      #expect(!hadResult || effects.isEmpty)
      for effect in effects where effect.origin == .step {
        if case .connect(let id, _, _) = effect.work { events.append(.opened(id)) }
        events.append(.performed)
      }
      switch Int.random(in: 0..<8, using: &generator) {
      case 0...2: events.append(.message(1, .text, [0x61]))
      case 3: events.append(.message(1, .binary, [0]))
      case 4: events.append(.pong(1, []))
      case 5 where moment.monotonic > 8_000_000_000: events.append(.ended(1, Self.normal))
      default: moment.monotonic += 250_000_000
      }
    }
    moment.monotonic += 100_000_000_000
    var effects: [ScriptMachine.Effect] = []
    machine.handle(.ended(1, Self.normal), at: &moment, into: &effects)
    // Each step needs one deadline more at most.
    for _ in 0..<script.steps.count * 3 {
      moment.monotonic += 2_000_000_000
      machine.handle(.performed, at: &moment, into: &effects)
      machine.handle(.due, at: &moment, into: &effects)
      if let deadline = machine.nextDeadline { #expect(deadline > moment.monotonic) }
    }
    #expect(machine.result != nil, "\(script.steps.map(\.text))")
  }

  private struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ (state >> 29)
    }
  }
}
