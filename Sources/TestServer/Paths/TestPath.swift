import Conversation
import NIOHTTP1

/// One row of the registry of test paths.
package struct TestPathEntry: Sendable {
  /// The path with its parameters in braces, such as `/close/{code}`.
  package var pattern: String
  /// Other patterns for the same path, as other test servers name it.
  package var aliases: [String] = []
  /// The query parameters, besides those of all paths.
  package var query: [String] = []
  /// The description for help, in one sentence.
  package var summary: String
  /// Whether the server violates the protocol on this path, or fails in another way on purpose.
  package var isBroken = false
  /// Whether the path also answers a plain GET, not only an upgrade.
  package var answersHTTP = false
  /// Whether each query parameter means something, so that none is a misspelled one.
  package var takesAnyQuery = false
  /// Whether it is a channel, to which POST publishes.
  package var isChannel = false
  /// Whether it is the event stream of a channel, and not a WebSocket path.
  package var isEventStream = false
  /// The method of requests that are answered without an upgrade, under `/t/`; nil for none.
  var exchange: HTTPMethod?
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
  /// Answers a request that is not an upgrade.
  case exchange(UpdateRequest)
}

/// A connection that a test path accepts.
struct PathConnection: Sendable {
  var behaviour: any BehaviourMaker
  /// Whether the server accepts permessage-deflate if the client offers it.
  var allowsDeflate = true
  /// Whether the client must offer permessage-deflate, which is then used whatever the server's settings are.
  var requiresDeflate = false
  /// The subprotocol to choose, instead of one that the server supports; the client offers it.
  var subprotocol: String?
  /// Maximum size of a message in bytes; nil for the limit of the server.
  var messageLimit: Int?
  /// Maximum size of a frame of a message in bytes; nil for none.
  var fragmentLimit: Int?
  /// Faults that apply to the connection in addition.
  var faults: [FaultRule] = []
}

/// An invalid value in a path or a query.
struct InvalidArgument: Error, Hashable, CustomStringConvertible {
  /// One sentence.
  var description: String

  init(_ description: String) {
    self.description = description
  }
}

/// The parameters of a request on a test path.
struct PathArguments: Sendable {
  /// The path segments in place of the braces of the pattern, by parameter name.
  var captured: [String: String]
  var target: RequestTarget
  /// Maximum message size of the server in bytes.
  var maxMessage: Int
  var method = ""
  var fields = HTTPHeaders()
  var isTLS = false
  /// The address of the client, without the port.
  var remoteAddress: String?
  /// The subprotocols that the client offers.
  var offered: [String] = []

  private func value(_ name: String) -> String? {
    captured[name] ?? target.values(name).last
  }

  /// A text; nil if it is absent.
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

  /// A size in bytes, up to the maximum message size; nil if it is absent.
  func size(_ name: String) throws(InvalidArgument) -> Int? {
    guard let text = value(name) else { return nil }
    guard let size = ByteSize.parse(text), size <= maxMessage else {
      throw InvalidArgument(
        "\(name): invalid size \"\(text)\" (expected 64, 16k or 1M, at most \(maxMessage) bytes)")
    }
    return size
  }

  /// A rate in bytes a second, as in `1KB/s`; nil if it is absent.
  func rate(_ name: String) throws(InvalidArgument) -> Int? {
    guard let text = value(name) else { return nil }
    guard let rate = ByteSize.parse(perSecond: text) else {
      throw InvalidArgument("\(name): invalid rate \"\(text)\" (expected 1KB/s or 2M/s)")
    }
    return rate
  }

  /// A duration in nanoseconds, at most ten minutes; nil if it is absent. A number without a unit
  /// is in milliseconds in a path, in seconds in a query.
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

  /// A share from 0 to 1; nil if it is absent.
  func share(_ name: String) throws(InvalidArgument) -> Double? {
    guard let text = value(name) else { return nil }
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }),
      let share = Double(text), share <= 1
    else { throw InvalidArgument("\(name): invalid share \"\(text)\" (expected 0 to 1)") }
    return share
  }

  /// The start of a fault, as in `after=`: a number of messages, or a time after the opening.
  func start(_ name: String) throws(InvalidArgument) -> FaultRule.Start? {
    guard let text = value(name) else { return nil }
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
      return try duration(name).map { .time($0) }
    }
    return try number(name, in: 0...1_000_000).map { .messages($0) }
  }

  private static let longest: Int64 = 600_000_000_000
}
