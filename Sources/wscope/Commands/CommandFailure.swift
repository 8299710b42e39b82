/// A command that cannot go on: the exit code and what to say.
struct CommandFailure: Error, CustomStringConvertible {
  var status: ExitStatus
  var words: String
  /// Lines below it.
  var details: [String]

  var description: String { words }

  init(_ status: ExitStatus, _ words: String, details: [String] = []) {
    self.status = status
    self.words = words
    self.details = details
  }
}
