import ArgumentParser
import Conversation
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// What `send` plays in place of single messages.
struct ScriptOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Do the steps of a script, one a line: "> text" sends, "< text" waits for a message; the others \
      are in the manual page. - is standard input.
      """, valueName: "file"),
    completion: .file())
  var script: String?

  @Option(
    help: ArgumentHelp(
      """
      Send again what was sent in a recording of --record, and compare what comes with what came; \
      exit code 1 if it differs.
      """, valueName: "file"),
    completion: .file())
  var replay: String?

  @Option(
    help: ArgumentHelp(
      """
      When --replay sends: fast (as soon as the replies before have come) or recorded (as long after \
      the opening as then).
      """, valueName: "when"))
  var timing: ReplayConfiguration.Timing?

  /// Whether one of them says what happens.
  var isUsed: Bool { script != nil || replay != nil }

  /// - Throws: `CommandFailure` for what a script has no use for.
  func check(_ send: Send) throws {
    guard script == nil || replay == nil else {
      throw CommandFailure(.usage, "--script and --replay exclude each other")
    }
    guard timing == nil || replay != nil else {
      throw CommandFailure(.usage, "--timing is for --replay, which is missing")
    }
    guard isUsed else { return }
    let name = script == nil ? "--replay" : "--script"
    let expectation = send.expectation
    let isExpecting =
      ![
        expectation.expect, expectation.expectRegex, expectation.expectJson,
        expectation.expectBinary,
      ].allSatisfy(\.isEmpty) || expectation.expectNone != nil || expectation.expectCount != nil
      || expectation.expectClose != nil || expectation.expectStatus != nil
      || expectation.expectSubprotocol != nil || expectation.within != nil
      || expectation.maxRtt != nil || expectation.until != nil || expectation.untilJson != nil
    guard !isExpecting else {
      throw CommandFailure(.usage, "\(name) says itself what is expected: no --expect or the like")
    }
    guard send.messages.isEmpty, send.file.isEmpty, send.message.execute.isEmpty,
      send.message.count == nil,
      !send.message.oneMessage, !send.message.stdinWhole, send.message.input == .text
    else {
      throw CommandFailure(
        .usage, "\(name) says itself what is sent: no messages, --execute, --count or input")
    }
    guard send.message.wait.nanoseconds > 0 else {
      throw CommandFailure(
        .usage, "--wait is how long a step of \(name) waits: it must be longer than 0")
    }
  }

  /// - Throws: `CommandFailure` if the script is none, or uses what is not set.
  func configuration(
    _ send: Send, _ environment: [String: String],
    _ place: @escaping @Sendable (String?) throws -> ClientConfiguration
  ) throws -> ScriptConfiguration {
    let path = script ?? ""
    let name = path == "-" ? "standard input" : path
    let parsed = try Self.parsed(path, name)
    for (variable, step) in parsed.free where environment[variable] == nil {
      throw CommandFailure(
        .usage, "\(name):\(step.line): $\(variable) is not set",
        details: [Self.detail(step.text), "hint: a dollar sign itself is written $$"])
    }
    for step in parsed.steps {
      guard case .connect(let url?) = step.action, let text = url.constant else { continue }
      do {
        _ = try place(text)
      } catch let failure as CommandFailure {
        throw CommandFailure(
          failure.status, "\(name):\(step.line): \(failure.words)",
          details: [Self.detail(step.text)])
      }
    }
    let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    return ScriptConfiguration(
      script: parsed, name: name, directory: directory, kind: send.message.kind,
      wait: send.message.wait.nanoseconds, environment: environment,
      acceptedCloses: try send.expectation.acceptedCloses(), waitUp: try send.course.patience(),
      place: place)
  }

  /// A file may hold anything.
  private static func detail(_ step: String) -> String {
    "step: \(ControlCharacters.escaped(step, keepingNewlines: false, highlight: false))"
  }

  private static func parsed(_ path: String, _ name: String) throws -> Script {
    let bytes = path == "-" ? try FileContents.read(path) : try FileContents.readFile(path)
    do throws(ScriptError) {
      return try Script.parse(bytes)
    } catch {
      guard error.line > 0 else { throw CommandFailure(.usage, "\(name): \(error.problem)") }
      throw CommandFailure(
        .usage,
        "\(name):\(error.line): \(ControlCharacters.escaped(error.problem, highlight: false))",
        details: [Self.detail(error.text)])
    }
  }

  /// - Throws: `CommandFailure` if the recording is none.
  func configuration(
    _ send: Send, replaying path: String, _ client: ClientConfiguration
  ) throws -> ReplayConfiguration {
    let bytes = try FileContents.readFile(path)
    let recording: Recording
    do throws(Recording.Failure) {
      recording = try Recording(bytes)
    } catch {
      throw CommandFailure(.usage, "\(path):\(error.line): \(InputSource.words(error.problem))")
    }
    guard !recording.events.isEmpty else {
      throw CommandFailure(.usage, "\(path): nothing is recorded there")
    }
    return ReplayConfiguration(
      recording: recording, name: path, timing: timing ?? .fast, client: client,
      wait: send.message.wait.nanoseconds, linger: send.message.linger.nanoseconds,
      acceptedCloses: try send.expectation.acceptedCloses(), waitUp: try send.course.patience())
  }
}

extension ReplayConfiguration.Timing: ExpressibleByArgument {}
