/// A secret as it is given to an option without standing in the list of processes (SECURITY R16).
enum SecretValue {
  /// What `text` stands for: `@FILE` the first line of a file, `env:NAME` a variable, anything else
  /// itself.
  ///
  /// - Throws: `CommandFailure`, which does not tell the secret.
  static func read(
    _ text: String, of option: String, _ environment: [String: String]
  ) throws -> String {
    if text.hasPrefix("@") {
      let bytes = try FileContents.read(String(text.dropFirst()))
      let line = bytes.prefix { $0 != 0x0A && $0 != 0x0D }
      guard let secret = String(validating: line, as: UTF8.self) else {
        throw CommandFailure(.usage, "\(option): \(text.dropFirst()) is not text")
      }
      return secret
    }
    let variable = "env:"
    if text.hasPrefix(variable) {
      let name = String(text.dropFirst(variable.count))
      guard let secret = environment[name] else {
        throw CommandFailure(.usage, "\(option): the variable \(name) is not set")
      }
      return secret
    }
    return text
  }
}
