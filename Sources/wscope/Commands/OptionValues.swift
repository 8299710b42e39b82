import ArgumentParser
import Conversation
import WebSocketProtocol

/// A duration as it is typed: `10s`, `200ms`, `1m`; a bare number is seconds.
struct DurationOption: ExpressibleByArgument, Hashable, Sendable {
  /// Nanoseconds, not negative.
  var nanoseconds: Int64
  /// Whether it was typed, and is no default.
  private(set) var isTyped = false

  init(nanoseconds: Int64) {
    self.nanoseconds = nanoseconds
  }

  static func seconds(_ seconds: Int64) -> Self { Self(nanoseconds: seconds * 1_000_000_000) }

  init?(argument: String) {
    guard let nanoseconds = Duration.nanoseconds(argument) else { return nil }
    self.nanoseconds = nanoseconds
    isTyped = true
  }

  var defaultValueDescription: String { Figures.shortDuration(nanoseconds).filter { $0 != " " } }
}

/// A number of bytes as it is typed: `64`, `16k`, `4KiB`, `1M`; k, M and G are powers of 1024.
struct SizeOption: ExpressibleByArgument, Hashable, Sendable {
  var bytes: Int

  init(bytes: Int) {
    self.bytes = bytes
  }

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    guard let value = Int(digits) else { return nil }
    let shift: Int
    // With a space too, as help prints the defaults.
    switch argument[digits.endIndex...].lowercased().filter({ $0 != " " }) {
    case "", "b": shift = 0
    case "k", "kb", "kib": shift = 10
    case "m", "mb", "mib": shift = 20
    case "g", "gb", "gib": shift = 30
    default: return nil
    }
    let (bytes, overflow) = value.multipliedReportingOverflow(by: 1 << shift)
    guard !overflow else { return nil }
    self.bytes = bytes
  }

  var defaultValueDescription: String { Figures.bytes(bytes) }
}

/// A number of things as it is typed: `200`, `10k`.
struct CountOption: ExpressibleByArgument, Hashable, Sendable {
  var value: Int

  init(_ value: Int) {
    self.value = value
  }

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int(digits) else { return nil }
    let factor: Int
    switch argument[digits.endIndex...] {
    case "": factor = 1
    case "k": factor = 1000
    case "M": factor = 1_000_000
    default: return nil
    }
    let (value, overflow) = number.multipliedReportingOverflow(by: factor)
    guard !overflow else { return nil }
    self.value = value
  }

  var defaultValueDescription: String { String(value) }
}

/// A header field as it is typed: `Name: value`.
struct HeaderOption: ExpressibleByArgument, Hashable, Sendable {
  var name: String
  var value: String

  init?(argument: String) {
    guard let colon = argument.firstIndex(of: ":") else { return nil }
    name = String(argument[..<colon])
    value = Self.trimmed(argument[argument.index(after: colon)...])
  }

  /// Why the field must not be sent, or nil.
  var problem: String? {
    guard HeaderSyntax.isToken(name) else {
      return "header \"\(name)\": the name is not a token"
    }
    if let (offset, byte) = HeaderSyntax.firstForbiddenByte(inValue: value) {
      let what = byte == 0x0A || byte == 0x0D ? "a line break" : "a control character"
      return "header \(name): value contains \(what) (byte \(offset))"
    }
    // The handshake is the protocol's: with fields of one's own it would be another protocol.
    let reserved = ["upgrade", "connection", "sec-websocket-key", "sec-websocket-version"]
    if reserved.contains(name.lowercased()) {
      return "header \(name) belongs to the handshake and cannot be set"
    }
    if name.lowercased() == "sec-websocket-protocol" {
      return "header \(name): subprotocols are offered with --subprotocol NAME"
    }
    if name.lowercased() == "sec-websocket-extensions" {
      return "header \(name): extensions are negotiated, not set"
    }
    return nil
  }

  private static func trimmed(_ text: Substring) -> String {
    let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
    var text = text.drop(while: isSpace)
    while let last = text.last, isSpace(last) { text.removeLast() }
    return String(text)
  }
}

extension WebSocketURLError {
  /// The words for exit code 3.
  func words(_ text: String) -> String {
    switch self {
    case .empty: "the URL is empty"
    case .scheme(let scheme): "\"\(scheme)\" is no scheme for a WebSocket; ws or wss is"
    case .noHost: "the URL \"\(text)\" has no host"
    case .port(let port): "\"\(port)\" is no port: 1 to 65535"
    case .forbiddenByte(let offset, let byte):
      byte == 0x20
        ? "the URL contains a space (byte \(offset)); write %20"
        : "the URL contains a control character (byte \(offset))"
    case .fragment: "a WebSocket URL has no fragment (#...); write %23 for the character"
    case .host(let host): "\"\(host)\" is no host name or address"
    }
  }
}
