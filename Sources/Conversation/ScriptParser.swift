import WebSocketProtocol

extension Script {
  /// Reads a script.
  ///
  /// - Throws: what is wrong with its first line that is none.
  package static func parse(_ bytes: [UInt8]) throws(ScriptError) -> Script {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ScriptError(line: 0, problem: "it is not valid UTF-8", text: "")
    }
    var parser = ScriptParser()
    // By bytes: a carriage return and a newline are one Character.
    let lines = text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      let line = line.last == 0x0D ? line.dropLast() : line
      try parser.read(String(Substring(line)), number: index + 1)
    }
    return try parser.script()
  }
}

private struct ScriptParser {
  private var steps: [Script.Step] = []
  /// The connections that have been opened so far; nil is the one without a name.
  private var opened: Set<String?> = []

  mutating func script() throws(ScriptError) -> Script {
    guard !steps.isEmpty else {
      throw ScriptError(line: 0, problem: "it has no steps", text: "")
    }
    return Script(steps: steps)
  }

  mutating func read(_ text: String, number: Int) throws(ScriptError) {
    let line = text.drop { $0 == " " || $0 == "\t" }
    guard let first = line.first, first != "#" else { return }
    var connection: String?
    var rest = line
    if first == "@" {
      let name = Template.name(at: line.dropFirst())
      rest = line.dropFirst(name.count + 1)
      guard !name.isEmpty, rest.first == " " else {
        throw ScriptError(
          line: number, problem: "behind @ the name of a connection and a space are needed",
          text: String(line))
      }
      connection = name
      rest = rest.drop { $0 == " " || $0 == "\t" }
    }
    let action: Script.Action
    do throws(Problem) {
      action = try StepParser.action(rest)
    } catch {
      throw ScriptError(line: number, problem: error.words, text: String(line))
    }
    let step = Script.Step(
      line: number, text: String(line), connection: connection, action: action)
    try open(for: step)
    steps.append(step)
  }

  /// The connection without a name is opened by its first step, others when they are told to.
  private mutating func open(for step: Script.Step) throws(ScriptError) {
    switch step.action {
    case .connect:
      opened.insert(step.connection)
      return
    case .wait where step.connection == nil:
      return
    default: break
    }
    guard opened.insert(step.connection).inserted else { return }
    if let name = step.connection {
      throw ScriptError(
        line: step.line, problem: "@\(name) was not opened: that is done by @\(name) connect",
        text: step.text)
    }
    steps.append(Script.Step(line: step.line, text: "connect", action: .connect(nil)))
  }
}

private struct Problem: Error {
  var words: String
}

private enum StepParser {
  private typealias Parse = (Substring) throws(Problem) -> Script.Action

  static func action(_ line: Substring) throws(Problem) -> Script.Action {
    let word = line.prefix { $0 != " " && $0 != "\t" }
    // One space parts it from the word; what stands behind that is kept as it is.
    let rest = line.dropFirst(word.count).dropFirst()
    switch word {
    case ">": return .send(Template(String(rest)))
    case ">b": return .sendBytes(try bytes(rest))
    case ">e": return .send(Template(try unescaped(rest)))
    case ">@": return .sendFile(Template(try needed(rest, "the name of a file")))
    case "<": return .expect(.text(Template(String(rest))), capture: nil)
    case "<e": return .expect(.text(Template(try unescaped(rest))), capture: nil)
    case "<b": return .expect(.binary(try bytes(rest)), capture: nil)
    case "<~": return try pattern(rest)
    case "<json": return try json(rest)
    case "wait": return .wait(try duration(rest))
    case "expect-none": return .expectNone(try duration(rest))
    case "expect-close": return .expectClose(try codes(rest))
    case "ping": return .ping(try control(rest, 125))
    case "close": return try close(rest)
    case "connect":
      let url = trimmed(rest)
      return .connect(url.isEmpty ? nil : Template(url))
    default: throw unknown(word)
    }
  }

  private static func unknown(_ word: Substring) -> Problem {
    for mark in [">b", ">e", ">@", "<json", "<b", "<e", "<~", ">", "<"] where word.hasPrefix(mark) {
      return Problem(words: "a space is needed behind \(mark)")
    }
    let known = ["wait", "ping", "close", "connect", "expect-close", "expect-none"]
    if let near = Nearest.word(to: String(word), among: known) {
      return Problem(words: "\"\(word)\" is no step; did you mean \(near)?")
    }
    return Problem(
      words: "\"\(word)\" is no step: \(known.joined(separator: ", ")), > text and < text are")
  }

  private static func trimmed(_ text: Substring) -> String {
    var text = text.drop { $0 == " " || $0 == "\t" }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return String(text)
  }

  private static func needed(_ text: Substring, _ what: String) throws(Problem) -> String {
    let text = trimmed(text)
    guard !text.isEmpty else { throw Problem(words: "\(what) is missing") }
    return text
  }

  // MARK: Messages

  private static func bytes(_ text: Substring) throws(Problem) -> [UInt8] {
    guard let bytes = Hexadecimal.bytes(String(text)) else {
      throw Problem(words: "an even number of hexadecimal digits is needed")
    }
    return bytes
  }

  /// `\n`, `\r`, `\t`, `\0`, `\\` and `\u{41}`.
  private static func unescaped(_ text: Substring) throws(Problem) -> String {
    var result = ""
    var rest = text
    while let backslash = rest.firstIndex(of: "\\") {
      result += rest[..<backslash]
      rest = rest[backslash...].dropFirst()
      guard let letter = rest.popFirst() else {
        throw Problem(words: "a backslash at the end of the line escapes nothing")
      }
      switch letter {
      case "n": result += "\n"
      case "r": result += "\r"
      case "t": result += "\t"
      case "0": result += "\0"
      case "\\": result += "\\"
      case "u":
        let digits = rest.dropFirst().prefix { $0.isHexDigit }
        let behind = rest.dropFirst(digits.count + 1)
        guard rest.first == "{", behind.first == "}", (1...6).contains(digits.count),
          let scalar = UInt32(digits, radix: 16).flatMap(Unicode.Scalar.init)
        else { throw Problem(words: "\\u{...} needs the number of a character, in hexadecimal") }
        result.unicodeScalars.append(scalar)
        rest = behind.dropFirst()
      default:
        throw Problem(words: "\\\(letter) means nothing: \\n \\r \\t \\0 \\\\ and \\u{...} do")
      }
    }
    return result + rest
  }

  private static func pattern(_ text: Substring) throws(Problem) -> Script.Action {
    let (text, name) = try capture(text)
    let template = Template(text)
    do {
      // A variable stands for text, whatever it is.
      _ = try Pattern(template.filled { _ in "x" })
    } catch {
      throw Problem(words: "not a regular expression: \(error)")
    }
    return .expect(.pattern(template), capture: name)
  }

  private static func json(_ text: Substring) throws(Problem) -> Script.Action {
    let (text, name) = try capture(text)
    let template = Template(text)
    var variables = ScriptVariables(environment: [:])
    for name in template.names { variables.set(name, .string("x")) }
    do throws(JSONConditionError) {
      _ = try JSONCondition(variables.json(template))
    } catch {
      throw Problem(words: error.problem)
    }
    return .expect(.json(template), capture: name)
  }

  /// `-> NAME` at the end.
  private static func capture(_ text: Substring) throws(Problem) -> (String, String?) {
    let text = trimmed(text)
    guard let last = text.split(separator: " ", omittingEmptySubsequences: false).last,
      text.dropLast(last.count).hasSuffix("-> ")
    else { return (try needed(text[...], "what is expected"), nil) }
    guard Template.name(at: last) == last else {
      throw Problem(words: "\"\(last)\" is no name for a variable")
    }
    let left = trimmed(text.dropLast(last.count + 3))
    return (try needed(left[...], "what is expected"), String(last))
  }

  // MARK: The others

  private static func duration(_ text: Substring) throws(Problem) -> Int64 {
    let text = try needed(text, "a duration")
    guard let duration = Duration.nanoseconds(text) else {
      throw Problem(words: "\"\(text)\" is no duration: 200ms, 1s and 2m are")
    }
    return duration
  }

  private static func codes(_ text: Substring) throws(Problem) -> CloseCodes? {
    let text = trimmed(text)
    guard !text.isEmpty else { return nil }
    guard let codes = CloseCodes(text) else {
      throw Problem(words: "codes are from 1000 to 4999, as in 1008,4000-4999")
    }
    return codes
  }

  private static func control(_ text: Substring, _ limit: Int) throws(Problem) -> Template {
    guard text.utf8.count <= limit else {
      throw Problem(words: "no more than \(limit) bytes fit into it")
    }
    return Template(String(text))
  }

  private static func close(_ text: Substring) throws(Problem) -> Script.Action {
    let digits = text.prefix { $0 != " " }
    guard !digits.isEmpty else { return .close(.normal, reason: Template("")) }
    guard let number = UInt16(digits), case let code = CloseCode(rawValue: number),
      code.mayBeOnTheWire
    else {
      throw Problem(
        words:
          "\(digits) is no code that may be sent: 1000 to 1003, 1007 to 1014 and 3000 to 4999 are")
    }
    let reason = text.dropFirst(digits.count + 1)
    return .close(code, reason: try control(reason, CloseFrame.maximumReasonLength))
  }
}

/// Bytes as they are typed: `00ff`, `00 ff`.
package enum Hexadecimal {
  /// - Returns: nil if these are no pairs of hexadecimal digits.
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
}

extension Duration {
  /// A duration as it is typed: `10s`, `200ms`, `1m`; a bare number is seconds.
  ///
  /// - Returns: ns, not negative and at most a year, which is longer than anything means; or nil.
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
