import ArgumentParser
import Conversation
import NIOCore
import WebSocketNIO

/// The options of a session that goes on: those of `connect` alone.
struct SessionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Open a lost connection again, each time after a longer pause, and send the -x messages again; \
      with a number at most that many times in a row.
      """, valueName: "n"))
  var reconnect: ReconnectOption?

  @Option(
    help: ArgumentHelp("Send a ping that often.", valueName: "duration"))
  var pingInterval: DurationOption?

  @Option(
    help: ArgumentHelp(
      "Give the connection up when the pong to a ping of --ping-interval takes longer.",
      valueName: "duration"))
  var pingTimeout: DurationOption?

  /// What keeps the connection alive.
  func keepAlive() throws -> KeepAlive? {
    guard let pingInterval else {
      guard pingTimeout == nil else {
        throw CommandFailure(
          .usage, "--ping-timeout is for the pings of --ping-interval, which is missing")
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

/// Where a session is recorded.
struct RecordingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Record all that is sent and received into a new file, as JSON Lines.", valueName: "file"),
    completion: .file())
  var record: String?

  @Flag(help: "Overwrite the file of --record.")
  var force = false

  func recording() throws -> RecordingConfiguration? {
    guard let record else {
      guard !force else {
        throw CommandFailure(.usage, "--force is for --record, which is missing")
      }
      return nil
    }
    return RecordingConfiguration(path: record, overwrites: force)
  }
}

/// How messages are shown, on a terminal or in a pipe.
struct LookOptions: ParsableArguments {
  @Flag(help: "Show JSON indented, at the prompt also coloured.")
  var json = false
}

/// When messages came.
struct StampOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Show when messages come, in front of each: iso (UTC, if nothing is said), rel (since the \
      start) or delta (since the one before). Not in front of binary in a pipe.
      """, valueName: "kind"))
  var timestamps: MessageStamps.Kind?

  /// - Throws: `CommandFailure` where there is no place for them.
  func check(_ message: MessageOptions) throws {
    guard timestamps != nil else { return }
    guard message.format == .text else {
      throw CommandFailure(
        .usage, "--format jsonl has the times already: no --timestamps")
    }
    guard !message.raw, !message.null else {
      throw CommandFailure(
        .usage, "--raw and --null are for payload as it is: no --timestamps")
    }
  }
}

/// When and how often `send` does what it does.
struct CourseOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Try again for so long until the server is there: while it cannot be reached, or answers with a \
      5xx. Then the exit code is that of the last cause.
      """, valueName: "duration"))
  var waitUp: DurationOption?

  @Option(
    help: ArgumentHelp(
      """
      Do all of it this many times, each on a new connection. The exit code is that of the first one \
      that failed.
      """, valueName: "n"))
  var `repeat`: Int?

  @Option(
    help: ArgumentHelp(
      "From the start of one repetition to the start of the next.", valueName: "duration"))
  var interval: DurationOption?

  @Option(
    name: [.customShort("m", allowingJoined: true), .long],
    help: ArgumentHelp(
      "End with exit code 28 when all of it takes longer, from the start to the end.",
      valueName: "duration"))
  var maxTime: DurationOption?

  /// Has `client` tell what it waits for.
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

  /// ns; nil without `--wait-up`.
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
        throw CommandFailure(.usage, "--interval is for --repeat, which is missing")
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
  /// What the option without a value is turned into.
  static let plain = "always"

  /// nil for as many attempts as it takes.
  var limit: Int?

  init?(argument: String) {
    guard argument != Self.plain else { return }
    guard let limit = Int(argument), limit > 0 else { return nil }
    self.limit = limit
  }
}
