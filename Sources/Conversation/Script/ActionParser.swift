import WebSocketProtocol

/// Parses one action: a word and, after one space, the rest of the line (LISTEN.md 2.2).
struct ActionParser {
  let context: ScriptContext
  let isRule: Bool

  func action(_ line: Substring) throws(ScriptProblem) -> Script.Action {
    let word = line.prefix { $0 != " " && $0 != "\t" }
    // One space separates it from the word; everything after that is literal.
    let rest = line.dropFirst(word.count).dropFirst()
    guard let known = ScriptWord(rawValue: String(word)) else { throw unknown(word) }
    guard isRule ? known.isRuleAction(in: context) : known.isStep(in: context) else {
      throw unavailable(known)
    }
    switch known {
    case .sendText: return .send(template(String(rest)))
    case .sendEscaped: return .send(template(try Self.unescaped(rest)))
    case .sendBytes: return .sendBytes(try Self.bytes(rest))
    case .sendFile: return .sendFile(try file(rest))
    case .expectText, .expectEscaped, .expectBytes, .expectPattern, .expectJSON, .expectAny:
      let (want, capture) = try want(known, rest)
      return .expect(want, capture: capture)
    case .wait: return .wait(try Self.duration(rest))
    case .expectNone: return .expectNone(try Self.duration(rest))
    case .expectClose: return .expectClose(try codes(rest))
    case .ping: return .ping(try control(rest, 125))
    case .close: return try close(rest)
    case .connect:
      let url = Self.trimmed(rest)
      return .connect(url.isEmpty ? nil : Template(url))
    case .status: return try status(rest)
    case .reset: return try alone(rest, known, .reset)
    case .stall: return try alone(rest, known, .stall)
    case .nothing: return try alone(rest, known, .nothing)
    }
  }

  private func template(_ text: String) -> Template {
    isRule ? Template(rule: text) : Template(text)
  }

  // MARK: Words

  private static let marks = [">b", ">e", ">@", "<json", "<b", "<e", "<~", "<*", ">", "<"]
  /// Words of other contexts, each with the option that it requires.
  private static let elsewhere = [
    "pass": "--tap", "drop": "--tap", "replace": "--tap", "sub": "--tap", "delay": "--tap",
  ]

  private func unknown(_ word: Substring) -> ScriptProblem {
    if let option = Self.elsewhere[String(word)] {
      return ScriptProblem(message: "\(word) requires \(option)")
    }
    if ["time", "repeat", "publish"].contains(word) {
      return ScriptProblem(message: "\(word) is only available in bench")
    }
    for mark in Self.marks where word.hasPrefix(mark) {
      return ScriptProblem(message: "a space is required after \(mark)")
    }
    let known = ScriptWord.allCases.filter {
      isRule ? $0.isRuleAction(in: context) : $0.isStep(in: context)
    }.map(\.rawValue)
    let kind = isRule ? "action" : "step"
    if let near = Nearest.word(to: String(word), among: known.filter { $0.count > 3 }) {
      return ScriptProblem(message: "unknown \(kind) \"\(word)\"; did you mean \(near)?")
    }
    let after = isRule ? " after =>" : ""
    return ScriptProblem(
      message: "unknown \(kind) \"\(word)\"\(after); known are \(known.joined(separator: " "))")
  }

  private func unavailable(_ word: ScriptWord) -> ScriptProblem {
    let name = word.rawValue
    if isRule {
      if word.isMessage || word == .expectNone || word == .expectClose || word == .connect {
        return ScriptProblem(message: "\(name) cannot be the action of a rule")
      }
      return ScriptProblem(message: "\(name) is only available in listen")
    }
    return switch word {
    case .nothing: ScriptProblem(message: "nothing must follow EVENT =>")
    case .connect: ScriptProblem(message: "connect is not available in listen")
    default: ScriptProblem(message: "\(name) is only available in listen")
    }
  }

  // MARK: Parts

  static func trimmed(_ text: Substring) -> String {
    var text = text.drop { $0 == " " || $0 == "\t" }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return String(text)
  }

  private static func needed(_ text: Substring, _ what: String) throws(ScriptProblem) -> String {
    let text = trimmed(text)
    guard !text.isEmpty else { throw ScriptProblem(message: "\(what) is missing") }
    return text
  }

  private func alone(
    _ rest: Substring, _ word: ScriptWord, _ action: Script.Action
  ) throws(ScriptProblem) -> Script.Action {
    guard Self.trimmed(rest).isEmpty else {
      throw ScriptProblem(message: "\(word.rawValue) takes nothing after it")
    }
    return action
  }

  private func file(_ rest: Substring) throws(ScriptProblem) -> Template {
    let template = template(try Self.needed(rest, "the name of a file"))
    let comesFromPeer = template.parts.contains { part in
      switch part {
      case .text: false
      case .variable(let name): isRule && name == "MESSAGE"
      case .group, .member, .query: true
      }
    }
    guard !comesFromPeer else {
      throw ScriptProblem(message: "the file name of >@ must not come from a peer")
    }
    return template
  }

  private static func bytes(_ text: Substring) throws(ScriptProblem) -> [UInt8] {
    guard let bytes = Hexadecimal.bytes(String(text)) else {
      throw ScriptProblem(message: "an even number of hexadecimal digits is required")
    }
    return bytes
  }

  /// `\n`, `\r`, `\t`, `\0`, `\\` and `\u{41}`.
  private static func unescaped(_ text: Substring) throws(ScriptProblem) -> String {
    var result = ""
    var rest = text
    while let backslash = rest.firstIndex(of: "\\") {
      result += rest[..<backslash]
      rest = rest[backslash...].dropFirst()
      guard let letter = rest.popFirst() else {
        throw ScriptProblem(message: "a backslash at the end of the line escapes nothing")
      }
      switch letter {
      case "n": result += "\n"
      case "r": result += "\r"
      case "t": result += "\t"
      case "0": result += "\0"
      case "\\": result += "\\"
      case "u":
        let digits = rest.dropFirst().prefix { $0.isHexDigit }
        let after = rest.dropFirst(digits.count + 1)
        guard rest.first == "{", after.first == "}", (1...6).contains(digits.count),
          let scalar = UInt32(digits, radix: 16).flatMap(Unicode.Scalar.init)
        else {
          throw ScriptProblem(message: "\\u{...} requires the hexadecimal number of a character")
        }
        result.unicodeScalars.append(scalar)
        rest = after.dropFirst()
      default:
        throw ScriptProblem(
          message: "unknown escape \\\(letter) (expected \\n \\r \\t \\0 \\\\ or \\u{...})")
      }
    }
    return result + rest
  }

  // MARK: Messages

  /// The condition of a `<` word, and the name of the variable that captures the value.
  func want(
    _ word: ScriptWord, _ rest: Substring
  ) throws(ScriptProblem) -> (Script.Want, String?) {
    switch word {
    case .expectEscaped: return (.text(Template(try Self.unescaped(rest))), nil)
    case .expectBytes: return (.binary(try Self.bytes(rest)), nil)
    case .expectPattern: return try pattern(rest)
    case .expectJSON: return try json(rest)
    case .expectAny:
      let (text, name) = try capture(rest, isAlone: true)
      guard text.isEmpty else { throw ScriptProblem(message: "<* takes nothing but -> NAME") }
      return (.any, name)
    default: return (.text(Template(String(rest))), nil)
    }
  }

  private func pattern(_ text: Substring) throws(ScriptProblem) -> (Script.Want, String?) {
    let (text, name) = try capture(text)
    let template = Template(text)
    do {
      // A variable is replaced by arbitrary text; the pattern must be valid with any.
      _ = try Pattern(template.filled { _ in "x" })
    } catch {
      throw ScriptProblem(message: "not a regular expression: \(error)")
    }
    return (.pattern(template), name)
  }

  private func json(_ text: Substring) throws(ScriptProblem) -> (Script.Want, String?) {
    let (text, name) = try capture(text)
    let template = Template(text)
    do throws(JSONConditionError) {
      _ = try JSONCondition(template.json { _ in .string("x") })
    } catch {
      throw ScriptProblem(message: error.problem)
    }
    return (.json(template), name)
  }

  /// `-> NAME` at the end.
  private func capture(
    _ text: Substring, isAlone: Bool = false
  ) throws(ScriptProblem) -> (String, String?) {
    let text = Self.trimmed(text)
    guard let last = text.split(separator: " ", omittingEmptySubsequences: false).last,
      text.dropLast(last.count).hasSuffix("-> ")
    else {
      return (isAlone ? text : try Self.needed(text[...], "what is expected"), nil)
    }
    guard Template.name(at: last) == last else {
      throw ScriptProblem(message: "invalid variable name \"\(last)\"")
    }
    guard !context.predefined.contains(String(last)) else {
      throw ScriptProblem(message: "$\(last) is predefined: choose another name")
    }
    let left = Self.trimmed(text.dropLast(last.count + 3))
    return (isAlone ? left : try Self.needed(left[...], "what is expected"), String(last))
  }

  // MARK: Other arguments

  static func duration(_ text: Substring) throws(ScriptProblem) -> Int64 {
    let text = try needed(text, "a duration")
    guard let duration = Duration.nanoseconds(text) else {
      throw ScriptProblem(message: "invalid duration \"\(text)\" (expected 200ms, 1s or 2m)")
    }
    return duration
  }

  private func codes(_ text: Substring) throws(ScriptProblem) -> CloseCodes? {
    let text = Self.trimmed(text)
    guard !text.isEmpty else { return nil }
    guard let codes = CloseCodes(text) else {
      throw ScriptProblem(
        message: "invalid close code \"\(text)\" (expected 1000 to 4999, as in 1008,4000-4999)")
    }
    return codes
  }

  private func control(_ text: Substring, _ limit: Int) throws(ScriptProblem) -> Template {
    guard text.utf8.count <= limit else {
      throw ScriptProblem(message: "longer than the \(limit) bytes that a control frame may carry")
    }
    return template(String(text))
  }

  private func close(_ text: Substring) throws(ScriptProblem) -> Script.Action {
    let digits = text.prefix { $0 != " " }
    guard !digits.isEmpty else { return .close(.normal, reason: Template("")) }
    guard let number = UInt16(digits), case let code = CloseCode(rawValue: number),
      code.mayBeOnTheWire
    else {
      throw ScriptProblem(
        message: "invalid close code \"\(digits)\" "
          + "(expected 1000 to 1003, 1007 to 1014 or 3000 to 4999)")
    }
    let reason = text.dropFirst(digits.count + 1)
    return .close(code, reason: try control(reason, CloseFrame.maximumReasonLength))
  }

  private func status(_ text: Substring) throws(ScriptProblem) -> Script.Action {
    let digits = text.prefix { $0 != " " }
    guard let number = Int(digits), (200...599).contains(number) else {
      throw ScriptProblem(message: "invalid status \"\(digits)\" (expected 200 to 599)")
    }
    return .status(number, template(String(text.dropFirst(digits.count + 1))))
  }
}

/// Bytes as the user types them: `00ff`, `00 ff`.
package enum Hexadecimal {
  /// - Returns: nil if the text does not consist of pairs of hexadecimal digits.
  package static func bytes(_ text: String) -> [UInt8]? {
    let digits = text.filter { $0 != " " }.map { $0.isASCII ? $0.hexDigitValue : nil }
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = digits[index], let low = digits[index + 1] else { return nil }
      bytes.append(UInt8(high << 4 | low))
    }
    return bytes
  }

  /// Lowercase digits, without spaces.
  package static func text(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}

extension Duration {
  /// Parses a duration as the user types it: `10s`, `200ms`, `1m`; a bare number is in seconds.
  ///
  /// - Returns: ns, not negative and at most one year, which exceeds every sensible value; or nil.
  package static func nanoseconds(_ text: String) -> Int64? {
    let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    guard let value = Double(number), value >= 0 else { return nil }
    let factor: Double
    switch text[number.endIndex...] {
    case "", "s": factor = 1e9
    case "ms": factor = 1e6
    case "us", "µs": factor = 1e3
    case "ns": factor = 1
    case "m", "min": factor = 60e9
    case "h": factor = 3600e9
    default: return nil
    }
    guard value * factor <= 365 * 86_400e9 else { return nil }
    return Int64(value * factor)
  }
}
