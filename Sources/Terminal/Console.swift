import Glibc
import Synchronization

/// Output that could not be written.
package enum OutputError: Error, Equatable, Sendable {
  /// Nobody reads any more (EPIPE), as with `| head -1`: end quietly.
  case closed
  /// The system refused: its `errno` (ENOSPC, EIO, EBADF, ...) and the stream in words.
  case failed(code: Int32, stream: String)
}

/// The only writer to standard output and standard error of the product.
///
/// Writes block until the system has taken everything. Whatever goes to a terminal on which a
/// `LineEditor` shows its prompt appears above that prompt.
package final class Console: Sendable {
  /// Whether a person may be typing.
  package let standardInputIsTerminal: Bool
  /// Whether a person reads standard output.
  package let standardOutputIsTerminal: Bool
  /// Whether a person reads standard error.
  package let standardErrorIsTerminal: Bool
  /// The stream on which a prompt belongs: standard output if it is a terminal, else standard error
  /// if that is one; nil if there is no terminal to prompt on, or none to type at.
  package let promptDescriptor: Int32?

  private let standardOutput: Int32
  private let standardError: Int32
  private let editor = Mutex<LineEditor?>(nil)
  private let outputLock = Mutex<Void>(())
  /// Guards standard error, and standard output too when that is a terminal: both are one screen.
  private let statusLine = Mutex<StatusLine>(StatusLine())

  /// A console on the three standard streams, or on other descriptors in their place.
  package init(
    standardInput: Int32 = STDIN_FILENO, standardOutput: Int32 = STDOUT_FILENO,
    standardError: Int32 = STDERR_FILENO
  ) {
    self.standardOutput = standardOutput
    self.standardError = standardError
    standardInputIsTerminal = isatty(standardInput) == 1
    standardOutputIsTerminal = isatty(standardOutput) == 1
    standardErrorIsTerminal = isatty(standardError) == 1
    promptDescriptor =
      if !standardInputIsTerminal {
        nil
      } else if standardOutputIsTerminal {
        standardOutput
      } else if standardErrorIsTerminal {
        standardError
      } else {
        nil
      }
  }

  /// Makes a write to a closed pipe an error instead of the end of the process.
  /// Call once at the start.
  package static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

  /// Occupies those of descriptors 0, 1 and 2 that the caller closed (`>&-`), so that no socket gets
  /// one of these numbers and output lands in it. Reading the substitute is the end of the input,
  /// writing to it fails with EBADF as before. Call once at the start, before anything is opened.
  package static func occupyClosedStreams() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free number is this one, since all below are open by now.
      _ = open("/dev/null", O_RDONLY)
    }
  }

  /// Writes received payload to standard output, exactly as it is.
  ///
  /// - Throws: `OutputError` if standard output does not take it.
  package func payload(_ bytes: UnsafeRawBufferPointer) throws(OutputError) {
    guard standardOutputIsTerminal else {
      return try outputLock.withLock { _ throws(OutputError) in
        try write(bytes, to: standardOutput, named: "standard output")
      }
    }
    if attachedEditor?.printAbove(bytes) == true { return }
    try statusLine.withLock { status throws(OutputError) in
      status.erase(on: standardError)
      try write(bytes, to: standardOutput, named: "standard output")
      // After half a line the status would destroy it when it is next erased.
      if bytes.last == 0x0A { status.draw(on: standardError) }
    }
  }

  /// Writes received payload to standard output, exactly as it is.
  ///
  /// - Throws: `OutputError` if standard output does not take it.
  package func payload(_ bytes: [UInt8]) throws(OutputError) {
    let written = bytes.withUnsafeBytes { bytes in
      Result { () throws(OutputError) in try payload(bytes) }
    }
    try written.get()
  }

  /// Writes one line (without its newline) to standard error. What cannot be written is dropped:
  /// there is nobody left to tell.
  package func note(_ line: String) {
    var text = line
    text.append("\n")
    if standardErrorIsTerminal, attachedEditor?.printAbove(text) == true { return }
    statusLine.withLock { status in
      status.erase(on: standardError)
      text.withUTF8 { try? writeFully(UnsafeRawBufferPointer($0), to: standardError) }
      status.draw(on: standardError)
    }
  }

  /// Shows a line that replaces the one shown before, for progress; nil takes it away.
  ///
  /// It is cut to the width of the terminal. Without a terminal on standard error, and while an
  /// editor is attached, nothing happens.
  package func status(_ line: String?) {
    guard standardErrorIsTerminal, attachedEditor == nil else { return }
    statusLine.withLock { status in
      if line == nil { status.erase(on: standardError) }
      status.text = line
      status.draw(on: standardError)
    }
  }

  /// From now on everything for a terminal appears above the prompt of `editor`.
  package func attach(_ editor: LineEditor) {
    status(nil)
    self.editor.withLock { $0 = editor }
  }

  /// Ends what `attach` began. Stop the editor first, so that what it still holds comes out first.
  package func detach() { editor.withLock { $0 = nil } }

  private var attachedEditor: LineEditor? { editor.withLock { $0 } }

  private func write(
    _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, named stream: String
  ) throws(OutputError) {
    do {
      try writeFully(bytes, to: descriptor)
    } catch {
      throw error.code == EPIPE ? .closed : .failed(code: error.code, stream: stream)
    }
  }
}
