import ArgumentParser
import Conversation
import TestServer
import WebSocketProtocol

/// A duration as the user types it: `10s`, `200ms`, `1m`; a bare number is in seconds.
struct DurationOption: ExpressibleByArgument, Hashable, Sendable {
  /// In ns, not negative.
  var nanoseconds: Int64
  /// Whether the user gave a value, rather than leaving the default.
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

/// A number of bytes as the user types it: `64`, `16k`, `4KiB`, `1M`; k, M and G are powers of
/// 1024.
struct SizeOption: ExpressibleByArgument, Hashable, Sendable {
  var bytes: Int

  init(bytes: Int) {
    self.bytes = bytes
  }

  init?(argument: String) {
    guard let bytes = ByteSize.parse(argument) else { return nil }
    self.bytes = bytes
  }

  var defaultValueDescription: String { Figures.bytes(bytes) }
}

/// A number of items as the user types it: `200`, `10k`.
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

/// The value of `-H`: a header field, or a file of header fields.
enum HeaderOption: ExpressibleByArgument, Hashable, Sendable {
  case field(HeaderField)
  case file(path: String)
  /// The text has no colon. ArgumentParser would repeat it in its error message, even if it is a
  /// secret.
  case malformed

  init(argument: String) {
    if argument.hasPrefix("@") {
      self = .file(path: String(argument.dropFirst()))
    } else {
      self = HeaderField(argument).map { .field($0) } ?? .malformed
    }
  }

  /// The field given on the command line; nil for a file.
  ///
  /// - Throws: `CommandFailure`.
  func typed() throws -> HeaderField? {
    switch self {
    case .field(let field): return field
    case .file: return nil
    case .malformed:
      throw CommandFailure(
        .usage, "invalid header field: a colon is missing, as in --header 'Name: value'")
    }
  }

  /// The fields in the file, one per line; empty lines and comments, which begin with `#`, are
  /// skipped.
  ///
  /// - Throws: `CommandFailure`.
  func read() throws -> [HeaderField] {
    guard case .file(let path) = self else { return [] }
    let contents = try FileContents.readText(path)
    return try contents.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated()
      .compactMap { index, line in
        let bytes = line.last == 0x0D ? line.dropLast() : line
        guard let first = bytes.first, first != UInt8(ascii: "#") else { return nil }
        let location = "\(path), line \(index + 1)"
        guard let field = String(validating: bytes, as: UTF8.self).flatMap(HeaderField.init) else {
          throw CommandFailure(.usage, "\(location): not a header field, as in Name: value")
        }
        if let problem = field.problem { throw CommandFailure(.usage, "\(location): \(problem)") }
        return field
      }
  }
}

/// A header field as the user types it: `Name: value`.
struct HeaderField: Hashable, Sendable {
  var name: String
  var value: String

  init?(_ text: String) {
    guard let colon = text.firstIndex(of: ":") else { return nil }
    name = String(text[..<colon])
    value = Self.trimmed(text[text.index(after: colon)...])
  }

  /// Why the field cannot be sent at all, or nil.
  var grammarProblem: String? {
    guard HeaderSyntax.isToken(name) else {
      return "header \"\(name)\": the name is not a token"
    }
    if let (offset, byte) = HeaderSyntax.firstForbiddenByte(inValue: value) {
      let what = byte == 0x0A || byte == 0x0D ? "a line break" : "a control character"
      return "header \(name): value contains \(what) (byte \(offset))"
    }
    return nil
  }

  /// Why the field must not be sent, or nil.
  var problem: String? {
    if let grammarProblem { return grammarProblem }
    // These fields define the handshake: with other values it would be a different protocol.
    let reserved = ["upgrade", "connection", "sec-websocket-key", "sec-websocket-version"]
    if reserved.contains(name.lowercased()) {
      return "header \(name) belongs to the handshake; --force-header sets it"
    }
    if name.lowercased() == "sec-websocket-protocol" {
      return "header \(name): subprotocols are offered with --subprotocol NAME"
    }
    if name.lowercased() == "sec-websocket-extensions" {
      return "header \(name): extensions are negotiated, not set"
    }
    return nil
  }

  /// The text without surrounding spaces and tabs.
  static func trimmed(_ text: Substring) -> String {
    let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
    var text = text.drop(while: isSpace)
    while let last = text.last, isSpace(last) { text.removeLast() }
    return String(text)
  }
}

extension WebSocketURLError {
  /// The message for exit code 3.
  ///
  /// If the URL has user information, no part of the authority is repeated: an unencoded `/` or `:`
  /// in a password makes part of the password look like a host or a port.
  func message(_ text: String) -> String {
    let isOpen = !text.contains("@")
    return switch self {
    case .empty: "the URL is empty"
    case .scheme(let scheme):
      isOpen
        ? "unsupported URL scheme \"\(scheme)\": use ws:// or wss://"
        : "unsupported URL scheme: use ws:// or wss://"
    case .noHost: "the URL \"\(Redaction.url(text))\" has no host"
    case .port(let port):
      "invalid port\(isOpen ? " \"\(port)\"" : "") in the URL (expected 1 to 65535)"
    case .internationalHost(let host):
      "cannot convert the host name\(isOpen ? " \"\(host)\"" : "") to ASCII (IDNA); type its xn-- form"
    case .bareIPv6(let address):
      "an IPv6 address needs brackets\(isOpen ? ", as in [\(address)]" : "")"
    case .misspelledScheme(let suggestion):
      "invalid URL: did you mean \(Redaction.url(suggestion))"
    case .forbiddenByte(let offset, let byte):
      byte == 0x20
        ? "the URL contains a space (byte \(offset)); write %20"
        : "the URL contains a control character (byte \(offset))"
    case .fragment: "a WebSocket URL has no fragment (#...); write %23 for the character"
    case .host(let host):
      isOpen
        ? "invalid host name or address \"\(host)\"" : "invalid host name or address in the URL"
    }
  }
}

extension ExpressibleByArgument where Self: RawRepresentable, RawValue == String {
  /// Avoids reflection, which would search all conformances of the binary at every start.
  var defaultValueDescription: String { rawValue }
}
