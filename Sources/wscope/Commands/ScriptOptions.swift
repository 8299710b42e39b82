import ArgumentParser
import Conversation
import WebSocketNIO
import WebSocketProtocol

/// The options of `send` for scripts and recordings, which replace single messages.
struct ScriptOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Run a script of steps, one per line ("> text" sends, "< text" waits for a message), and rules \
      ("< ping => > pong"); wscope-send(1) lists all of them. - reads standard input.
      """, valueName: "file"),
    completion: .file())
  var script: String?

  @Option(
    help: ArgumentHelp(
      """
      Send again what was sent in a recording made with --record, and compare the replies with the \
      recorded ones; if they differ, the exit code is 1.
      """, valueName: "file"),
    completion: .file())
  var replay: String?

  @Option(
    help: ArgumentHelp(
      """
      When --replay sends: fast (as soon as the earlier replies have arrived; the default) or recorded \
      (at the recorded times).
      """, valueName: "when"))
  var timing: ReplayConfiguration.Timing?

  /// Whether a script or a recording is given.
  var isUsed: Bool { script != nil || replay != nil }

  /// - Throws: `CommandFailure` for options that cannot be combined with a script.
  func check(_ send: Send) throws {
    guard script == nil || replay == nil else {
      throw CommandFailure(.usage, "--script and --replay cannot be used together")
    }
    guard timing == nil || replay != nil else {
      throw CommandFailure(.usage, "--timing requires --replay")
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
      throw CommandFailure(
        .usage, "\(name) cannot be used together with --expect and other expectations")
    }
    guard send.messages.isEmpty, send.file.isEmpty, send.message.execute.isEmpty,
      send.message.count == nil,
      !send.message.oneMessage, !send.message.stdinWhole, send.message.input == .text
    else {
      throw CommandFailure(
        .usage,
        "\(name) cannot be used together with messages, --execute, --file, --count or --input")
    }
    guard send.message.wait.nanoseconds > 0 else {
      throw CommandFailure(
        .usage, "--wait must be longer than 0 with \(name): it limits each step")
    }
  }

  /// - Throws: `CommandFailure` if the script is invalid or uses a variable that is not set.
  func configuration(
    _ send: Send, _ environment: [String: String],
    _ endpoint: @escaping @Sendable (String?) throws -> ClientConfiguration
  ) throws -> ScriptConfiguration {
    let path = script ?? ""
    let (parsed, name) = try ScriptFile.read(path, .send, environment)
    for step in parsed.steps {
      guard case .connect(let url?) = step.action, let text = url.constant else { continue }
      do {
        _ = try endpoint(text)
      } catch let failure as CommandFailure {
        throw CommandFailure(
          failure.status, "\(name):\(step.line): \(failure.message)",
          details: [ScriptFile.detail(step.text)])
      }
    }
    let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    return ScriptConfiguration(
      script: parsed, name: name, directory: directory, kind: send.message.kind,
      wait: send.message.wait.nanoseconds, environment: environment,
      acceptedCloses: try send.expectation.acceptedCloses(), waitUp: try send.course.patience(),
      endpoint: endpoint)
  }

  /// - Throws: `CommandFailure` if the recording is invalid.
  func configuration(
    _ send: Send, replaying path: String, _ client: ClientConfiguration
  ) throws -> ReplayConfiguration {
    let bytes = FileContents.withoutByteOrderMark(try FileContents.readFile(path))
    let recording: Recording
    do throws(Recording.Failure) {
      recording = try Recording(bytes)
    } catch {
      throw CommandFailure(.usage, "\(path):\(error.line): \(InputSource.message(error.problem))")
    }
    guard !recording.events.isEmpty else {
      throw CommandFailure(.usage, "\(path): the recording is empty")
    }
    return ReplayConfiguration(
      recording: recording, name: path, timing: timing ?? .fast, client: client,
      wait: send.message.wait.nanoseconds, linger: send.message.linger.nanoseconds,
      acceptedCloses: try send.expectation.acceptedCloses(), waitUp: try send.course.patience())
  }
}

extension ReplayConfiguration.Timing: ExpressibleByArgument {}
