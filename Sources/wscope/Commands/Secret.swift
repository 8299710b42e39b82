import ArgumentParser
import Conversation
import WebSocketProtocol

/// The value of an option that must not be shown: a password, a token, a cookie.
///
/// Secrecy is a property of the option's type, so that a report, which contains the command line
/// rebuilt by `ReportedCommandLine`, cannot include the value.
struct Secret: ExpressibleByArgument, Hashable, Sendable, CustomStringConvertible {
  /// The typed text: the secret itself, or where to read it from.
  private let typed: String

  init(argument: String) { typed = argument }

  /// The text shown instead of the secret.
  var description: String { Redaction.replacement }

  /// `@FILE` is the first line of a file (`@-`: of standard input), `env:NAME` an environment
  /// variable, anything else the secret itself.
  ///
  /// - Throws: `CommandFailure` naming the option, but neither the file nor the variable: a
  ///   password may begin with `@` or `env:`.
  func read(of option: String, _ environment: [String: String]) throws -> String {
    try Self.read(typed, of: option, environment)
  }

  /// The same for an environment variable that may refer to a file.
  static func read(
    _ text: String, of option: String, _ environment: [String: String]
  ) throws -> String {
    let secret: String
    if text.hasPrefix("@") {
      secret = try firstLine(String(text.dropFirst()), option)
    } else if text.hasPrefix("env:") {
      guard let value = environment[String(text.dropFirst(4))] else {
        throw CommandFailure(.usage, "\(option): the environment variable after env: is not set")
      }
      secret = value
    } else {
      secret = text
    }
    if let (offset, byte) = HeaderSyntax.firstForbiddenByte(inValue: secret) {
      let what = byte == 0x0A || byte == 0x0D ? "a line break" : "a control character"
      throw CommandFailure(.usage, "\(option) contains \(what) (byte \(offset))")
    }
    return secret
  }

  private static func firstLine(_ path: String, _ option: String) throws -> String {
    let contents: [UInt8]
    do {
      contents = try FileContents.readText(path)
    } catch let failure as CommandFailure {
      let reason = failure.message.split(separator: ": ").last ?? ""
      throw CommandFailure(.usage, "\(option): cannot read the file after @: \(reason)")
    }
    let line = contents.prefix { $0 != 0x0A }
    let bytes = line.last == 0x0D ? line.dropLast() : line
    guard let text = String(validating: bytes, as: UTF8.self), !text.isEmpty else {
      throw CommandFailure(
        .usage, "\(option): the file after @ does not begin with a line of text")
    }
    return text
  }
}

/// The value of an option that is not secret and may be repeated in a report: a path, an address, a
/// name.
struct PublicText: ExpressibleByArgument, Hashable, Sendable, CustomStringConvertible {
  let text: String

  init(argument: String) { text = argument }

  var description: String { text }
}

/// Subprotocols as typed: a name, or a comma-separated list. Some services accept a token as a
/// subprotocol.
struct SubprotocolText: ExpressibleByArgument, Hashable, Sendable {
  let text: String

  init(argument: String) { text = argument }
}

/// A URL as typed, which may contain secrets.
struct URLText: ExpressibleByArgument, Hashable, Sendable {
  let text: String

  init(argument: String) { text = argument }
}
