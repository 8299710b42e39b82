import ArgumentParser
import Terminal
import TestServer
import WebSocketProtocol

/// The options of `listen` for channels: modes and paths whose clients receive what others send.
struct PublishingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      What to do with a client that does not read: close it, drop messages for it, or wait until it has caught \
      up (default: close). Modes broadcast, chat and source, and the paths /broadcast and /room.
      """, valueName: "close|drop|wait"),
    completion: .list(SlowPolicy.allCases.map(\.rawValue)))
  var slow: SlowPolicy?

  @Option(
    help: ArgumentHelp(
      """
      Send a new client the last n messages first, 0 to 1000 (default: 20 in rooms, 1 in mode source, otherwise 0). \
      Modes broadcast, chat and source, and the paths /broadcast and /room.
      """, valueName: "n"))
  var keep: Int?

  @Flag(
    name: .shortAndLong,
    help: "Send binary messages; the default is text. Mode source and manual, and --exec.")
  var binary = false

  @Flag(
    name: [.customShort("0"), .long],
    help:
      "Messages on standard input, or of the program, end with a NUL byte, not with a line feed. Mode source and --exec."
  )
  var null = false

  /// Checks the options that apply to every channel.
  ///
  /// - Throws: `CommandFailure`.
  func check(_ mode: Mode, hasTestPaths: Bool, hasProgram: Bool) throws {
    let forms = [binary ? "--binary" : nil, null ? "--null" : nil].compactMap(\.self)
    let hasForm = mode.entry.isFed || hasProgram || null == false && mode.entry.isAnsweredByHand
    if let option = forms.first, !hasForm {
      throw CommandFailure(.usage, "\(option) requires mode source or --exec")
    }
    let given = [slow.map { _ in "--slow" }, keep.map { _ in "--keep" }].compactMap(\.self)
    if let option = given.first, mode.entry.channel == nil, !hasTestPaths {
      throw CommandFailure(
        .usage, "\(option) requires mode broadcast, chat or source, or test paths")
    }
    guard (0...1000).contains(keep ?? 0) else {
      throw CommandFailure(.usage, "--keep must be from 0 to 1000")
    }
  }

  /// - Returns: What the clients are fed with; nil if the mode is not fed.
  /// - Throws: `CommandFailure`.
  func feed(
    _ mode: Mode, maxMessage: Int, isQuiet: Bool, endsAtEnd: Bool
  ) throws -> SourceFeed.Configuration? {
    guard mode.entry.isFed else {
      if endsAtEnd, !mode.entry.isAnsweredByHand {
        throw CommandFailure(.usage, "--exit-at-eof requires mode source or manual")
      }
      return nil
    }
    return SourceFeed.Configuration(
      boundary: null ? .null : .newline, kind: binary ? .binary : .text, maxMessage: maxMessage,
      waitsForClients: slow == .wait, isQuiet: isQuiet, endsAtEnd: endsAtEnd)
  }
}

extension SlowPolicy: ExpressibleByArgument {}
