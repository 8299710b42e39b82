import ArgumentParser
import Conversation

/// When `listen` ends by itself.
struct ServerEndOptions: ParsableArguments {
  @Flag(help: "End after one connection; the same as --exit-after 1.")
  var once = false

  @Option(
    help: ArgumentHelp(
      """
      Accept this many connections, and exit when they have ended; the exit code is that of the first one that \
      failed. By default the server runs until a signal.
      """, valueName: "n"))
  var exitAfter: Int?

  @Option(
    help: ArgumentHelp(
      """
      With --exit-after: accept these close codes from the clients, as in 4000-4999, in addition to 1000, 1001 and \
      no code.
      """, valueName: "codes"))
  var acceptClose: String?

  @Option(
    name: [.customShort("m"), .long],
    help: ArgumentHelp(
      """
      Time limit for the whole run, as in 30s; exceeding it is exit code 28. By default there is none.
      """, valueName: "duration"))
  var maxTime: DurationOption?

  @Flag(help: "End with Close 1001 when standard input ends. Mode source and manual.")
  var exitAtEof = false

  /// The connections after which the server ends; nil if it runs until a signal.
  func connections() throws(CommandFailure) -> Int? {
    if once, exitAfter != nil {
      throw CommandFailure(.usage, "--once and --exit-after cannot be used together")
    }
    if let exitAfter, exitAfter < 1 {
      throw CommandFailure(.usage, "--exit-after must be at least 1")
    }
    return once ? 1 : exitAfter
  }

  /// Follows the connections; nil if the server runs until a signal.
  func served() throws -> ServedConnections? {
    let limit = try connections()
    guard let acceptClose else {
      return limit.map { ServedConnections(limit: $0, acceptedCloses: nil) }
    }
    guard let limit else {
      throw CommandFailure(.usage, "--accept-close requires --once or --exit-after")
    }
    guard let codes = CloseCodes(acceptClose) else {
      throw CommandFailure(
        .usage,
        "--accept-close \"\(acceptClose)\": expected codes from 1000 to 4999, as in 1008,4000-4999")
    }
    return ServedConnections(limit: limit, acceptedCloses: codes)
  }

  /// ns; nil without a limit.
  func timeLimit() throws(CommandFailure) -> Int64? {
    guard let maxTime else { return nil }
    guard maxTime.nanoseconds > 0 else {
      throw CommandFailure(.usage, "--max-time must be longer than 0")
    }
    return maxTime.nanoseconds
  }
}
