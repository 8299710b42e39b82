import Conversation
import Terminal
import WebSocketProtocol

/// What reads or shows text of strangers.
enum TextTargets {
  /// Nothing that a terminal obeys is left in what it is shown, and escaping that again changes
  /// nothing.
  static func sanitiser(_ bytes: UnsafeRawBufferPointer) -> String? {
    for keepingNewlines in [true, false] {
      let shown = ControlCharacters.escaped(
        bytes, keepingNewlines: keepingNewlines, highlight: false)
      for scalar in shown.unicodeScalars where isObeyed(scalar, keepingNewlines) {
        return "U+\(String(scalar.value, radix: 16)) in \(shown.debugDescription)"
      }
      let again = ControlCharacters.escaped(
        shown, keepingNewlines: keepingNewlines, highlight: false)
      if !again.utf8.elementsEqual(shown.utf8) {
        return "not idempotent: \(shown.debugDescription)"
      }
      // With our own reverse video taken away it is the same.
      let highlighted = ControlCharacters.escaped(
        bytes, keepingNewlines: keepingNewlines, highlight: true)
      for scalar in highlighted.unicodeScalars
      where scalar != "\u{1B}" && isObeyed(scalar, keepingNewlines) {
        return "U+\(String(scalar.value, radix: 16)) in \(highlighted.debugDescription)"
      }
      let limit = bytes.first.map(Int.init) ?? 0
      let cut = ControlCharacters.cut(
        bytes, at: limit, keepingNewlines: keepingNewlines, highlight: false)
      if cut.bytesLeftOut > bytes.count || bytes.count - cut.bytesLeftOut > limit {
        return "cut at \(limit): \(cut.bytesLeftOut) of \(bytes.count) left out"
      }
    }
    return nil
  }

  /// C0, DEL, C1, bidirectional controls, separators of lines, tags.
  private static func isObeyed(_ scalar: Unicode.Scalar, _ keepingNewlines: Bool) -> Bool {
    switch scalar.value {
    case 0x09: false
    case 0x0A: !keepingNewlines
    case 0x00...0x1F, 0x7F...0x9F, 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069,
      0xE0000...0xE007F:
      true
    default: false
    }
  }

  /// A URL that is taken can go into a request line and a Host field, and reads the same again.
  static func url(_ bytes: UnsafeRawBufferPointer) -> String? {
    guard let text = String(validating: bytes, as: UTF8.self),
      let url = try? WebSocketURL.parse(text)
    else { return nil }
    for part in [url.hostField, url.target] {
      for byte in part.utf8 where byte <= 0x20 || byte >= 0x7F {
        return "byte \(byte) in \(part.debugDescription)"
      }
    }
    if !url.target.hasPrefix("/") { return "the target \(url.target.debugDescription)" }
    var expected = url
    expected.userInfo = nil
    guard let again = try? WebSocketURL.parse(url.description), again == expected else {
      return "\(url) is not read as it was written"
    }
    return nil
  }

  /// A recording, line by line: what is taken as text is text, and what is taken reads the same when it
  /// is written again.
  static func sessionLine(_ bytes: UnsafeRawBufferPointer) -> String? {
    var reader = SessionReader()
    for line in Array(bytes).split(separator: 0x0A, omittingEmptySubsequences: false) {
      guard let message = try? reader.message(of: Array(line)) else { continue }
      if message.kind == .text, String(validating: message.payload, as: UTF8.self) == nil {
        return "text that is not UTF-8: \(message.payload)"
      }
      let event = SessionEvent(
        time: 0, connection: 1,
        .message(.outgoing, message.kind, message.payload, wire: message.payload.count))
      var again = SessionReader()
      guard let read = try? again.message(of: event.line), read == message else {
        return "\(message) is not read as it was written: \(event.line)"
      }
    }
    return nil
  }

  /// A script that is taken is the same when its steps are written one below the other, its variables can
  /// be filled in with anything, and the machine comes to an end with it.
  static func script(_ bytes: UnsafeRawBufferPointer) -> String? {
    guard let script = try? Script.parse(Array(bytes)) else { return nil }
    // With the end that is taken off: a step may end in a carriage return of its own.
    let text = script.steps.map { $0.text + "\r\n" }.joined()
    guard let again = try? Script.parse(Array(text.utf8)),
      again.steps.map(\.action) == script.steps.map(\.action)
    else { return "not the same again: \(text.debugDescription)" }
    var variables = ScriptVariables(environment: [:])
    for (name, _, _) in script.free { variables.set(name, .string("\"\\.$X")) }
    return play(script, variables)
  }

  /// Files of rules, for a server.
  static func rules(_ bytes: UnsafeRawBufferPointer) -> String? {
    guard let script = try? Script.parse(Array(bytes), context: .listenRules) else { return nil }
    return script.rules.contains { $0.actions.isEmpty } ? "a rule without an action" : nil
  }

  /// Plays a script with a peer that sends what the script itself consists of.
  private static func play(_ script: Script, _ variables: ScriptVariables) -> String? {
    var machine = ScriptMachine(
      script, variables: variables, limits: ScriptMachine.Limits(wait: 1_000_000_000))
    var moment = ScriptMachine.Moment(monotonic: 0)
    var events: [ScriptMachine.Event] = [.start]
    var lines = script.steps.map(\.text) + script.rules.map(\.text)
    lines.removeLast(max(0, lines.count - 64))
    var rounds = 0
    while machine.result == nil, rounds < 1000 {
      rounds += 1
      var effects: [ScriptMachine.Effect] = []
      machine.handle(events.isEmpty ? .due : events.removeFirst(), at: &moment, into: &effects)
      for effect in effects where effect.origin == .step {
        if case .connect(let id, _, _) = effect.work {
          events.append(.opened(id))
          for line in lines { events.append(.message(id, .text, Array(line.utf8.suffix(64)))) }
        }
        events.append(.performed)
      }
      if events.isEmpty { moment.monotonic = machine.nextDeadline ?? moment.monotonic }
      if let deadline = machine.nextDeadline, deadline < moment.monotonic {
        return "a deadline in the past"
      }
    }
    var effects: [ScriptMachine.Effect] = []
    guard machine.result != nil else { return nil }
    machine.handle(.due, at: &moment, into: &effects)
    return effects.isEmpty ? nil : "an effect after the end"
  }

  /// A recording that is taken has as many events as lines at most, in times that are none below 0.
  static func recording(_ bytes: UnsafeRawBufferPointer) -> String? {
    guard let recording = try? Recording(Array(bytes)) else { return nil }
    let lines = bytes.count { $0 == 0x0A } + 1
    guard recording.events.count <= lines else { return "\(recording.events.count) events" }
    return recording.events.contains { $0.time < 0 } ? "a time below 0" : nil
  }
}
