import ArgumentParser
import Conversation
import NIOCore
import TestServer
import WebSocketProtocol

/// The options of `listen` for its log.
struct LogOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Format of the events: text, a log on standard error, or jsonl, one JSON object per event on \
      standard output.
      """, valueName: "format"))
  var format = MessageOptions.FormatOption.text

  @Option(
    help: ArgumentHelp(
      """
      Show the time before each line: iso (UTC; the default without a value), rel (since the start) or \
      delta (since the previous line).
      """, valueName: "kind"))
  var timestamps: MessageStamps.Kind?

  @Flag(help: "Pretty-print JSON messages in the log.")
  var json = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Log only messages that match this regular expression (PCRE2).", valueName: "regex"))
  var filter: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Log only JSON messages for which this expression is true, as in '.op == \"sub\"'.",
      valueName: "expr"))
  var filterJson: String?

  @Flag(name: .shortAndLong, help: "Log only rejected requests and errors.")
  var quiet = false

  /// - Parameter isVerbose: Whether all messages are logged, sent ones too.
  /// - Returns: What the server reports.
  /// - Throws: `CommandFailure`.
  func capture(isVerbose: Bool) throws -> Capture {
    var capture = Capture()
    try format.check(hasTimestamps: timestamps != nil, indentsJSON: json)
    if format == .jsonl {
      guard !quiet else {
        throw CommandFailure(.usage, "--quiet and --format jsonl cannot be used together")
      }
      capture.messagesPerSecond = .max
      capture.includesSent = true
      capture.includesPings = true
      capture.maxPayload = .max
    } else if quiet {
      if filter != nil || filterJson != nil {
        let option = filter != nil ? "--filter" : "--filter-json"
        throw CommandFailure(
          .usage, "--quiet and \(option) cannot be used together: no messages are logged")
      }
      capture.messagesPerSecond = 0
    } else if isVerbose {
      capture.messagesPerSecond = .max
      capture.includesSent = true
    }
    if json { capture.maxPayload = ServerLog.maxIndented }
    capture.filter = try messageFilter()
    return capture
  }

  /// How the log is printed.
  var look: ServerLogLook {
    ServerLogLook(isQuiet: quiet, timestamps: timestamps, indentsJSON: json)
  }

  private func messageFilter()
    throws -> (@Sendable (MessageKind, UnsafeRawBufferPointer) -> Bool)?
  {
    let pattern: MessageFilter?
    do throws(Pattern.Failure) {
      pattern = if let filter { try MessageFilter(filter) } else { nil }
    } catch {
      throw CommandFailure(pattern: filter ?? "", of: "--filter", error)
    }
    let condition = try filterJson.map { try JSONCondition($0, of: "--filter-json") }
    guard pattern != nil || condition != nil else { return nil }
    return { _, payload in
      // A message on which the search takes too many steps is shown: none may be lost.
      guard pattern?.matches(payload) ?? true else { return false }
      guard let condition else { return true }
      return (try? JSONValue.records(Array(payload)))?.contains(where: condition.holds) ?? false
    }
  }
}
