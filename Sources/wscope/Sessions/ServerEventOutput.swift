import Conversation
import Terminal
import TestServer

/// Prints the events of a server: its log on standard error, or JSON Lines on standard output.
struct ServerEventOutput {
  private var log: ServerLog
  private let lines: ServerJSONLines?
  private let isQuiet: Bool
  /// Whether the payloads of received messages go to standard output, each with a line feed.
  private let printsPayloads: Bool
  private let context: CommandContext
  /// Whether nobody reads standard output any more, or it cannot be written.
  private var isOver = false
  /// Whether standard output could not be written.
  private(set) var hasFailed = false

  /// - Parameters:
  ///   - log: The log; of JSON Lines, for warnings.
  ///   - lines: The JSON Lines; nil for a log.
  ///   - isQuiet: Whether only rejected requests and errors are logged.
  ///   - printsPayloads: Whether the payloads of received messages go to standard output.
  ///   - context: The streams.
  init(
    _ log: ServerLog, _ lines: ServerJSONLines?, isQuiet: Bool, printsPayloads: Bool,
    _ context: CommandContext
  ) {
    self.printsPayloads = printsPayloads
    self.log = log
    self.lines = lines
    self.isQuiet = isQuiet
    self.context = context
  }

  /// Prints the first line of JSON Lines.
  mutating func begin(urls: [String], behaviour: String, seed: UInt64?) {
    guard let lines else { return }
    write(lines.listening(urls: urls, behaviour: behaviour, seed: seed))
  }

  /// Prints an event, and before it the number of events that were dropped.
  mutating func show(_ entry: ServerEventQueue.Entry, dropped: Int) {
    if dropped > 0 {
      context.inform("\(dropped) events dropped from the log: the reader is too slow")
    }
    if printsPayloads, !isOver, case .message(_, let message) = entry.event {
      write(message.preview + [0x0A])
    }
    guard let lines else {
      if !isQuiet || Self.isWrong(entry.event) { logLine(entry) }
      return
    }
    if ServerJSONLines.isWarning(entry.event) { logLine(entry) }
    if !isOver, let line = lines.line(entry.event, at: entry.time) { write(line) }
  }

  /// Prints a line of JSON. If standard output has been closed, it and the following lines are
  /// discarded; another problem is reported once.
  private mutating func write(_ line: [UInt8]) {
    do throws(OutputError) {
      try context.console.payload(line)
    } catch {
      isOver = true
      guard case .failed(let code, let stream) = error else { return }
      hasFailed = true
      context.warn("cannot write \(stream): \(SystemError(code: code).reason); no more events")
    }
  }

  private mutating func logLine(_ entry: ServerEventQueue.Entry) {
    if let line = log.line(entry.event, at: entry.time) { context.console.note(line) }
  }

  private static func isWrong(_ event: ServerEvent) -> Bool {
    switch event {
    case .refused, .malformed, .acceptFailed, .ruleSkipped, .dropped, .pingFlood: true
    case .script(_, let summary): summary.result != .done
    case .program(_, .ended(let end, _)): !end.isSuccess
    case .program: false
    case .opened, .message, .sent, .ping, .pong, .closed, .linted, .fault, .more, .published,
      .rejectedByScript:
      false
    }
  }
}
