package import NIOCore

/// A program that answers connections, one process for each, or whose output goes to all clients.
package struct ServedProgram: Sendable {
  /// The boundary between messages in the input and output of a process.
  package enum Boundary: Sendable {
    /// A line feed; a carriage return before it is not part of the message.
    case newline
    /// A NUL byte.
    case null
    /// None: the bytes of a message are written unchanged, and what one read returns is a message.
    case none
  }

  /// The name or path of the program, and its arguments. No shell reads them.
  package var command: [String]
  /// The variables that every process has.
  package var environment: [String: String]
  package var boundary = Boundary.newline
  /// Whether what the program writes is sent as binary messages.
  package var sendsBinary = false
  /// Whether standard input and output are a pseudo-terminal.
  package var usesTerminal = false
  /// Whether the client receives both outputs, as JSON, and the log nothing.
  package var sendsErrors = false
  /// Time between the end of the input and SIGTERM, once the client has left.
  package var grace = TimeAmount.seconds(2)
  /// Header fields of the request that a process finds in its environment.
  package var passedFields: [String] = []
  /// Maximum size in bytes of a message that the program sends.
  package var maxMessage = 16 << 20

  /// Maximum number of processes at a time.
  package static let maxProcesses = 64

  /// Maximum number of bytes in a line of the standard error.
  static let maxErrorLine = 64 * 1024

  package init(command: [String], environment: [String: String]) {
    self.command = command
    self.environment = environment
  }

  /// The program as a person would type it, for texts.
  package var text: String { command.joined(separator: " ") }
}

/// How a process ended.
package enum ProgramEnd: Sendable, Hashable {
  case exited(Int32)
  /// Ended by this signal.
  case killed(signal: Int32)

  /// A few words: `exit 3`, `killed by SIGSEGV`.
  package var text: String {
    switch self {
    case .exited(let status): "exit \(status)"
    case .killed(let signal): "killed by \(SignalName.name(signal))"
    }
  }

  package var isSuccess: Bool { self == .exited(0) }

  /// The name of the signal that ended it, such as `SIGSEGV`; nil if it exited.
  package var signalName: String? {
    if case .killed(let signal) = self { SignalName.name(signal) } else { nil }
  }
}

/// Something that happened to a process, for the log.
package enum ProgramEvent: Sendable {
  case ended(ProgramEnd, after: TimeAmount)
  /// A line of its standard error.
  case errorLine(String)
  /// It has received input and written nothing for some time, perhaps because it buffers its output.
  case silent(program: String)
}
