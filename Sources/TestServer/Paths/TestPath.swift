import Conversation
import NIOHTTP1

/// One row of the registry of test paths.
package struct TestPathEntry: Sendable {
  /// The path, with its parameters in braces: `/close/{code}`.
  package var pattern: String
  package var aliases: [String] = []
  /// The parameters of the query, besides those that every path has.
  package var query: [String] = []
  /// A sentence.
  package var summary: String
  /// Whether the server breaks the protocol there, on purpose.
  package var isBroken = false
  /// Whether an ordinary GET is answered too, not only an upgrade.
  package var answersHTTP = false
  /// Whether it is a channel, to which POST publishes.
  package var isChannel = false
  /// Whether it is the event stream of a channel, and not a WebSocket path.
  package var isEventStream = false
  /// Reads the parameters of a request.
  var parse: @Sendable (PathArguments) throws(InvalidArgument) -> PathAction
}

/// What a test path does with a request.
enum PathAction: Sendable {
  case accept(PathConnection)
  /// Rejects the upgrade with this reply.
  case reply(HTTPReplyText)
  /// Joins a channel.
  case join(ChannelKey, MemberOptions)
}

/// A connection that a test path accepts.
struct PathConnection: Sendable {
  var behaviour: any BehaviourMaker
  /// Whether permessage-deflate is agreed on if the client offers it.
  var allowsDeflate = true
  /// Chosen whatever the server speaks; one that the client offers.
  var subprotocol: String?
  /// Bytes of one message, if the path has a limit of its own.
  var messageLimit: Int?
  /// What becomes of the messages to the client besides.
  var faults: [FaultRule] = []
}

/// A value in a path or a query that cannot be used.
struct InvalidArgument: Error, Hashable, CustomStringConvertible {
  /// One sentence.
  var description: String

  init(_ description: String) {
    self.description = description
  }
}

/// The parameters of a request on a test path.
struct PathArguments: Sendable {
  /// What the request has in place of the braces of the pattern.
  var captured: [String: String]
  var target: RequestTarget
  /// Bytes of the largest message that the server takes.
  var maxMessage: Int
  var method = ""
  var fields = HTTPHeaders()
  var isTLS = false
  /// Of the client, without its port.
  var remoteAddress: String?
  /// Subprotocols that the client offers.
  var offered: [String] = []

  private func value(_ name: String) -> String? {
    captured[name] ?? target.values(name).last
  }

  /// Text; nil if it is absent.
  func text(_ name: String) -> String? { value(name) }

  /// A whole number; nil if it is absent.
  func number(_ name: String, in range: ClosedRange<Int>) throws(InvalidArgument) -> Int? {
    guard let text = value(name) else { return nil }
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let number = Int(text), range.contains(number)
    else {
      throw InvalidArgument(
        "\(name): invalid number \"\(text)\" (expected \(range.lowerBound) to \(range.upperBound))")
    }
    return number
  }

  /// Bytes, up to the largest message; nil if it is absent.
  func size(_ name: String) throws(InvalidArgument) -> Int? {
    guard let text = value(name) else { return nil }
    guard let size = ByteSize.parse(text), size <= maxMessage else {
      throw InvalidArgument(
        "\(name): invalid size \"\(text)\" (expected 64, 16k or 1M, at most \(maxMessage) bytes)")
    }
    return size
  }

  /// Nanoseconds, at most ten minutes; nil if it is absent. A bare number is milliseconds in a path, seconds
  /// in a query.
  func duration(_ name: String) throws(InvalidArgument) -> Int64? {
    guard let text = value(name) else { return nil }
    let isBare = text.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }
    let isInPath = captured[name] != nil
    guard let duration = Duration.nanoseconds(isBare && isInPath ? text + "ms" : text),
      duration <= Self.longest
    else {
      throw InvalidArgument(
        "\(name): invalid duration \"\(text)\" (expected 200ms, 1s or 2m; at most 10m)")
    }
    return duration
  }

  /// When something is to begin, as `after=`: a number of messages, or a time after the opening.
  func start(_ name: String) throws(InvalidArgument) -> FaultRule.Start? {
    guard let text = value(name) else { return nil }
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
      return try duration(name).map { .time($0) }
    }
    return try number(name, in: 0...1_000_000).map { .messages($0) }
  }

  private static let longest: Int64 = 600_000_000_000
}
