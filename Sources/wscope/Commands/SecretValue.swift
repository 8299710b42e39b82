import Conversation
import WebSocketProtocol

/// The value of an option that is a secret: itself, or where it stands, so that it need not stand in the
/// list of processes (SECURITY R16).
enum SecretValue {
  /// `@FILE` is the first line of a file (`@-` of standard input), `env:NAME` a variable of the
  /// environment, anything else the secret itself.
  ///
  /// - Throws: `CommandFailure` naming the option, never the secret.
  static func read(
    _ text: String, of option: String, _ environment: [String: String]
  ) throws -> String {
    let secret: String
    if text.hasPrefix("@") {
      secret = try firstLine(String(text.dropFirst()), option)
    } else if text.hasPrefix("env:") {
      let name = text.dropFirst(4)
      guard let value = environment[String(name)] else {
        throw CommandFailure(.usage, "\(option): there is no variable \(name)")
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
    let line = try FileContents.read(path).prefix { $0 != 0x0A }
    let bytes = line.last == 0x0D ? line.dropLast() : line
    guard let text = String(validating: bytes, as: UTF8.self), !text.isEmpty else {
      throw CommandFailure(.usage, "\(option): \(path) does not begin with a line of text")
    }
    return text
  }
}
