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

  @Option(
    help: ArgumentHelp(
      "Record all that is sent and received into a new file, as JSON Lines.", valueName: "file"),
    completion: .file())
  var record: String?

  @Flag(help: "Overwrite the file of --record.")
  var force = false

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
  @Option(
    help: ArgumentHelp(
      """
      At the prompt, show when messages come: iso (UTC, if nothing is said), rel (since the start) \
      or delta (since the one before).
      """, valueName: "kind"))
  var timestamps: MessageText.Timestamps?

  @Flag(help: "Show JSON indented, at the prompt also coloured.")
  var json = false
}

extension MessageText.Timestamps: ExpressibleByArgument {}

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
