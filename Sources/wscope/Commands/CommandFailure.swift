/// A command that cannot continue: the exit code and the message.
struct CommandFailure: Error, CustomStringConvertible {
  var status: ExitStatus
  var words: String
  /// Further lines, printed below the message.
  var details: [String]

  var description: String { words }

  init(_ status: ExitStatus, _ words: String, details: [String] = []) {
    self.status = status
    self.words = words
    self.details = details
  }
}
