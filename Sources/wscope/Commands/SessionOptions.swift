import ArgumentParser
import Conversation
import NIOCore
import WebSocketNIO

/// The options of a continuing session, which only `connect` has.
struct SessionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Reopen a lost connection, with growing pauses, and send the -x messages again; =N gives up \
      after N failed attempts in a row (default: no limit).
      """, valueName: "n"))
  var reconnect: ReconnectOption?

  @Option(
    help: ArgumentHelp(
      "Send a ping at this interval, as in 20s; by default none is sent.", valueName: "duration"))
  var pingInterval: DurationOption?

  @Option(
    help: ArgumentHelp(
      """
      Drop the connection if the pong to a ping of --ping-interval takes longer than this, as in 5s; \
      by default there is no limit.
      """,
      valueName: "duration"))
  var pingTimeout: DurationOption?

  /// The keep-alive settings; nil without `--ping-interval`.
  func keepAlive() throws -> KeepAlive? {
    guard let pingInterval else {
      guard pingTimeout == nil else {
        throw CommandFailure(
          .usage, "--ping-timeout requires --ping-interval")
      }
      return nil
    }
    guard pingInterval.nanoseconds > 0, pingTimeout?.nanoseconds ?? 1 > 0 else {
      throw CommandFailure(.usage, "--ping-interval and --ping-timeout must be longer than 0")
    }
    return KeepAlive(
      interval: .nanoseconds(pingInterval.nanoseconds),
      timeout: pingTimeout.map { .nanoseconds($0.nanoseconds) })
  }

  var reconnectPolicy: ReconnectPolicy? { reconnect.map { ReconnectPolicy(limit: $0.limit) } }
}

/// The recording of a session.
struct RecordingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Record everything that is sent and received to a new file, as JSON Lines.", valueName: "file"
    ),
    completion: .file())
  var record: String?

  @Flag(help: "Overwrite the file of --record if it exists.")
  var force = false

  func recording() throws -> RecordingConfiguration? {
    guard let record else {
      guard !force else {
        throw CommandFailure(.usage, "--force requires --record")
      }
      return nil
    }
    return RecordingConfiguration(path: record, overwrites: force)
  }
}

/// How messages are shown, on a terminal or in a pipe.
struct LookOptions: ParsableArguments {
  @Flag(help: "Pretty-print JSON messages; at the prompt, in colour.")
  var json = false
}

/// Timestamps of messages.
struct TimestampOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Show before each message when it arrived: iso (UTC; the default without a value), rel (since the \
      start) or delta (since the previous message). Not shown before binary messages in a pipe.
      """, valueName: "kind"))
  var timestamps: MessageStamps.Kind?

  /// - Throws: `CommandFailure` if the output has no place for timestamps.
  func check(_ message: MessageOptions) throws {
    guard timestamps != nil else { return }
    try message.format.check(hasTimestamps: true)
    guard !message.raw, !message.null else {
      throw CommandFailure(
        .usage, "--timestamps cannot be used together with --raw or --null")
    }
  }
}

extension MessageOptions.FormatOption {
  /// - Throws: `CommandFailure` if the format has no place for what else was asked for.
  func check(hasTimestamps: Bool = false, indentsJSON: Bool = false) throws {
    guard self == .jsonl else { return }
    if hasTimestamps {
      throw CommandFailure(
        .usage,
        "--format jsonl and --timestamps cannot be used together: JSON Lines contain the times")
    }
    if indentsJSON {
      throw CommandFailure(.usage, "--format jsonl and --json cannot be used together")
    }
  }
}

/// When and how often `send` repeats its work.
struct RepetitionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Keep retrying for up to this long, as in 30s, while the server is unreachable or answers 5xx; by \
      default there are no retries. The exit code is that of the last failure.
      """, valueName: "duration"))
  var waitUp: DurationOption?

  @Option(
    help: ArgumentHelp(
      """
      Repeat everything this many times, each time on a new connection (default: 1). The exit code is \
      that of the first repetition that failed.
      """, valueName: "n"))
  var `repeat`: Int?

  @Option(
    help: ArgumentHelp(
      """
      Time from the start of one repetition to the start of the next, as in 500ms (default: 0s, no \
      pause).
      """, valueName: "duration"))
  var interval: DurationOption?

  @Option(
    name: [.customShort("m", allowingJoined: true), .long],
    help: ArgumentHelp(
      """
      Time limit for the whole run, as in 30s; exceeding it is exit code 28. By default there is \
      none.
      """,
      valueName: "duration"))
  var maxTime: DurationOption?

  /// Makes `client` report what it is waiting for, for the time limit.
  ///
  /// - Throws: `CommandFailure`.
  func limit(_ client: inout ClientConfiguration) throws -> MaxTime? {
    guard let maxTime else { return nil }
    guard maxTime.nanoseconds > 0 else {
      throw CommandFailure(.usage, "--max-time must be longer than 0")
    }
    let limit = MaxTime(maxTime.nanoseconds, client)
    client.phaseChanged = { limit.entered($0) }
    return limit
  }

  /// The value of `--wait-up` in ns; nil without it.
  ///
  /// - Throws: `CommandFailure`.
  func patience() throws -> Int64? {
    guard let waitUp else { return nil }
    guard waitUp.nanoseconds > 0 else {
      throw CommandFailure(.usage, "--wait-up must be longer than 0")
    }
    return waitUp.nanoseconds
  }

  /// - Throws: `CommandFailure`.
  func repetition() throws -> Repetition? {
    guard let count = self.repeat else {
      guard interval == nil else {
        throw CommandFailure(.usage, "--interval requires --repeat")
      }
      return nil
    }
    guard count >= 1 else { throw CommandFailure(.usage, "--repeat must be at least 1") }
    return Repetition(count: count, interval: interval?.nanoseconds ?? 0)
  }
}

extension MessageStamps.Kind: ExpressibleByArgument {}

/// `--reconnect[=N]`.
struct ReconnectOption: ExpressibleByArgument, Hashable {
  /// The value used when the option is given without one.
  static let plain = "always"

  /// The maximum number of attempts in a row; nil for no limit.
  var limit: Int?

  init?(argument: String) {
    guard argument != Self.plain else { return }
    guard let limit = Int(argument), limit > 0 else { return nil }
    self.limit = limit
  }
}
