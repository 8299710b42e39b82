import ArgumentParser
import Conversation
import WebSocketProtocol

/// The value of an option that nothing may show: a password, a token, a cookie.
///
/// That it is a secret is a property of the option's type, so that a report, which repeats the command line
/// as `ReportedCommandLine` rebuilds it, cannot contain it.
struct Secret: ExpressibleByArgument, Hashable, Sendable, CustomStringConvertible {
  /// As it was typed: the secret itself, or where to read it from.
  private let typed: String

  init(argument: String) { typed = argument }

  /// What is shown in its place.
  var description: String { Redaction.replacement }

  /// `@FILE` is the first line of a file (`@-` of standard input), `env:NAME` a variable of the
  /// environment, anything else the secret itself.
  ///
  /// - Throws: `CommandFailure` naming the option. It names neither file nor variable: a password may begin
  ///   with `@` or `env:`.
  func read(of option: String, _ environment: [String: String]) throws -> String {
    try Self.read(typed, of: option, environment)
  }

  /// The same for a variable of the environment that may refer to a file.
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
      let reason = failure.words.split(separator: ": ").last ?? ""
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

/// The value of an option that is not secret and may be repeated in a report: a path, an address, a name.
struct PublicText: ExpressibleByArgument, Hashable, Sendable, CustomStringConvertible {
  let text: String

  init(argument: String) { text = argument }

  var description: String { text }
}

/// Subprotocols as they were typed: a name, or a list with commas. Some services take a token as one.
struct SubprotocolText: ExpressibleByArgument, Hashable, Sendable {
  let text: String

  init(argument: String) { text = argument }
}

/// A URL as it was typed, in which there may be secrets.
struct URLText: ExpressibleByArgument, Hashable, Sendable {
  let text: String

  init(argument: String) { text = argument }
}
