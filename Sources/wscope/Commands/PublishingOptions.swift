import ArgumentParser
import Terminal
import TestServer
import WebSocketProtocol

/// The options of `listen` for the modes that send what the clients did not ask for.
struct PublishingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      What to do with a client that does not read: close it, drop messages for it, or wait until it has caught \
      up (default: close). Mode source.
      """, valueName: "close|drop|wait"),
    completion: .list(SlowPolicy.allCases.map(\.rawValue)))
  var slow: SlowPolicy?

  @Option(
    help: ArgumentHelp(
      "Send a new client the last n messages first, 0 to 1000 (default: 1). Mode source.",
      valueName: "n"))
  var keep: Int?

  @Flag(name: .shortAndLong, help: "Send binary messages; the default is text. Mode source.")
  var binary = false

  @Flag(
    name: [.customShort("0"), .long],
    help: "Messages on standard input end with a NUL byte, not with a line feed. Mode source.")
  var null = false

  var keptMessages: Int { keep ?? 1 }

  /// - Returns: What the clients are fed with; nil if the mode is not fed.
  /// - Throws: `CommandFailure`.
  func feed(
    _ mode: Mode, maxMessage: Int, isQuiet: Bool, endsAtEnd: Bool
  ) throws -> SourceFeed.Configuration? {
    guard mode.entry.isFed else {
      let given = [
        slow.map { _ in "--slow" }, keep.map { _ in "--keep" }, binary ? "--binary" : nil,
        null ? "--null" : nil, endsAtEnd ? "--exit-at-eof" : nil,
      ].compactMap(\.self)
      if let option = given.first {
        throw CommandFailure(.usage, "\(option) requires mode source")
      }
      return nil
    }
    guard (0...1000).contains(keptMessages) else {
      throw CommandFailure(.usage, "--keep must be from 0 to 1000")
    }
    return SourceFeed.Configuration(
      boundary: null ? .null : .newline, kind: binary ? .binary : .text, maxMessage: maxMessage,
      waitsForClients: slow == .wait, isQuiet: isQuiet, endsAtEnd: endsAtEnd)
  }
}

extension SlowPolicy: ExpressibleByArgument {}
