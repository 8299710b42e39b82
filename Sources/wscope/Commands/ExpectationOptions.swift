import ArgumentParser
import Conversation
import Synchronization
import WebSocketProtocol

/// The expectations of `send`, and the reports of their results.
struct ExpectationOptions: ParsableArguments {
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      """
      Expect exactly this message. Message expectations can be repeated and combined; they are met in \
      order, each by the first message that matches. If one is not met, the exit code is 1.
      """, valueName: "text"))
  var expect: [PlacedText] = []

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Expect a text message that matches this regular expression (PCRE2).",
      valueName: "regex"))
  var expectRegex: [PlacedText] = []

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Expect a JSON message for which this expression is true, as in '.op == \"pong\"'.",
      valueName: "expr"))
  var expectJson: [PlacedText] = []

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Expect a binary message of exactly these bytes, as hexadecimal digits.", valueName: "hex"))
  var expectBinary: [PlacedText] = []

  @Option(
    help: ArgumentHelp(
      """
      Expect no message for this long, as in 1s, after the last one that was sent or expected.
      """,
      valueName: "duration"))
  var expectNone: DurationOption?

  @Option(help: ArgumentHelp("Expect exactly this many messages.", valueName: "n"))
  var expectCount: Int?

  @Option(
    help: ArgumentHelp(
      "Expect the peer to close with one of these codes, as in 1008 or 1000,1001,4000-4999.",
      valueName: "codes"))
  var expectClose: String?

  @Option(
    help: ArgumentHelp(
      """
      Expect this HTTP status in response to the handshake, as in 401; being rejected with it is a \
      success.
      """,
      valueName: "status"))
  var expectStatus: Int?

  @Option(
    help: ArgumentHelp(
      "Expect the server to choose this subprotocol, which --subprotocol must offer.",
      valueName: "name"))
  var expectSubprotocol: String?

  @Option(
    help: ArgumentHelp(
      """
      Time limit for all expectations, as in 2s, measured from the opening. Without it, the wait ends \
      when no message arrives for --linger.
      """, valueName: "duration"))
  var within: DurationOption?

  @Option(
    help: ArgumentHelp(
      "Time limit for each reply, as in 200ms, measured from the last message sent.",
      valueName: "duration"))
  var maxRtt: DurationOption?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "End when a text message matches this regular expression (PCRE2).",
      valueName: "regex"))
  var until: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "End when a JSON message arrives for which this expression is true, as in '.n >= 2'.",
      valueName: "expr"))
  var untilJson: String?

  @Option(
    help: ArgumentHelp(
      """
      Accept these close codes from the peer, as in 4000-4999, in addition to 1000, 1001 and no \
      code.
      """,
      valueName: "codes"))
  var acceptClose: String?

  @Flag(
    help: """
      Print the results of the expectations in the Test Anything Protocol (TAP) instead of the messages.
      """)
  var tapOutput = false

  @Option(
    help: ArgumentHelp(
      "Write the results of the expectations to this file as JUnit XML.", valueName: "file"),
    completion: .file())
  var junit: String?

  /// All expectations, in the order in which they are reported.
  ///
  /// - Parameter offered: the subprotocols that the server may choose from.
  /// - Throws: `CommandFailure`.
  /// - Returns: the expectations.
  func expectations(offered: [String]) throws -> [Expectation] {
    var expectations: [Expectation] = []
    if let expectStatus {
      guard (100...599).contains(expectStatus) else {
        throw CommandFailure(.usage, "--expect-status must be from 100 to 599")
      }
      expectations.append(.status(expectStatus))
    }
    if let name = expectSubprotocol {
      guard offered.contains(name) else {
        throw CommandFailure(
          .usage, "--expect-subprotocol \"\(name)\" is not among the offered subprotocols",
          details: ["try: --subprotocol \(name)"])
      }
      expectations.append(.subprotocol(name))
    }
    expectations += try messages().map { .message($0) }
    if let ending = try ending() { expectations.append(.until(ending)) }
    if let expectNone {
      expectations.append(.silence(try Self.positive(expectNone, "--expect-none")))
    }
    if let expectCount {
      guard expectCount >= 0 else {
        throw CommandFailure(.usage, "--expect-count must be at least 0")
      }
      expectations.append(.count(expectCount))
    }
    if let maxRtt { expectations.append(.roundTrip(try Self.positive(maxRtt, "--max-rtt"))) }
    if let expectClose {
      expectations.append(.close(try Self.codes(expectClose, "--expect-close")))
    }
    return expectations
  }

  /// The expected messages, in the order in which they were typed.
  private func messages() throws -> [MessageTest] {
    var placed: [(position: Int, test: MessageTest)] = []
    for text in expect { placed.append((text.position, .payload(Array(text.text.utf8)))) }
    for text in expectRegex {
      placed.append((text.position, try Self.pattern(text.text, "--expect-regex")))
    }
    for text in expectJson {
      placed.append((text.position, try Self.condition(text.text, "--expect-json")))
    }
    for text in expectBinary {
      guard let bytes = Hexadecimal.bytes(text.text) else {
        throw CommandFailure(
          .usage,
          "--expect-binary \"\(text.text)\": expected an even number of hexadecimal digits")
      }
      placed.append((text.position, .binary(bytes)))
    }
    return placed.sorted { $0.position < $1.position }.map(\.test)
  }

  private func ending() throws -> MessageTest? {
    guard until == nil || untilJson == nil else {
      throw CommandFailure(.usage, "--until and --until-json cannot be used together")
    }
    if let until { return try Self.pattern(until, "--until") }
    return try untilJson.map { try Self.condition($0, "--until-json") }
  }

  /// The deadline, in ns; nil without one.
  func deadline() throws -> Int64? {
    guard let within else { return nil }
    let awaits =
      ![expect, expectRegex, expectJson, expectBinary].allSatisfy(\.isEmpty)
      || until != nil || untilJson != nil || expectNone != nil || expectCount != nil
      || expectClose != nil
    guard awaits else {
      throw CommandFailure(
        .usage,
        "--within requires --expect, --until or another expectation")
    }
    return try Self.positive(within, "--within")
  }

  func acceptedCloses() throws -> CloseCodes? {
    try acceptClose.map { try Self.codes($0, "--accept-close") }
  }

  private static func positive(_ duration: DurationOption, _ name: String) throws -> Int64 {
    guard duration.nanoseconds > 0 else {
      throw CommandFailure(.usage, "\(name) must be longer than 0")
    }
    return duration.nanoseconds
  }

  private static func codes(_ text: String, _ name: String) throws -> CloseCodes {
    guard let codes = CloseCodes(text) else {
      throw CommandFailure(
        .usage, "\(name) \"\(text)\": expected codes from 1000 to 4999, as in 1008,4000-4999")
    }
    return codes
  }

  private static func pattern(_ text: String, _ name: String) throws -> MessageTest {
    do {
      return .pattern(try Pattern(text))
    } catch {
      throw CommandFailure(pattern: text, of: name, error)
    }
  }

  private static func condition(_ text: String, _ name: String) throws -> MessageTest {
    .json(try JSONCondition(text, of: name))
  }
}

extension CommandFailure {
  /// The failure for an option whose value is not a regular expression.
  init(pattern: String, of option: String, _ failure: Pattern.Failure) {
    self.init(.usage, "\(option) \"\(pattern)\": not a regular expression: \(failure)")
  }
}

extension JSONCondition {
  /// The condition that is the value of an option.
  ///
  /// - Throws: `CommandFailure`.
  init(_ text: String, of option: String) throws {
    do throws(JSONConditionError) {
      try self.init(text)
    } catch {
      // The position of the error, marked under the text as it was typed.
      let line = String(text.map { $0.isNewline ? " " : $0 })
      throw CommandFailure(
        .usage, "\(option): \(error.problem)",
        details: [line, String(repeating: " ", count: error.offset) + "^"])
    }
  }
}

/// A value and its position on the command line. The parser keeps the order of the values of one
/// option but not of several options; it does, however, convert the values in order.
struct PlacedText: ExpressibleByArgument {
  let text: String
  let position: Int

  private static let places = Atomic<Int>(0)

  init(argument: String) {
    text = argument
    position = Self.places.wrappingAdd(1, ordering: .relaxed).newValue
  }
}
