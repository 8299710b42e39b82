/// A command that cannot continue: the exit code and the message.
struct CommandFailure: Error, CustomStringConvertible {
  var status: ExitStatus
  var message: String
  /// Further lines, printed below the message.
  var details: [String]

  var description: String { message }

  init(_ status: ExitStatus, _ message: String, details: [String] = []) {
    self.status = status
    self.message = message
    self.details = details
  }
}
