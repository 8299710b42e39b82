import Glibc
import Synchronization

/// Output that could not be written.
package enum OutputError: Error, Equatable, Sendable {
  /// The reader has closed the stream (EPIPE), as with `| head -1`: exit quietly.
  case closed
  /// The system rejected the write: its `errno` (ENOSPC, EIO, EBADF, ...) and the name of the
  /// stream.
  case failed(code: Int32, stream: String)
}

/// The only writer to standard output and standard error in the product.
///
/// Writes block until the system has accepted everything. Output to a terminal on which a
/// `LineEditor` shows its prompt appears above that prompt.
package final class Console: Sendable {
  /// Whether standard input is a terminal.
  package let standardInputIsTerminal: Bool
  /// Whether standard output is a terminal.
  package let standardOutputIsTerminal: Bool
  /// Whether standard error is a terminal.
  package let standardErrorIsTerminal: Bool
  /// The stream for prompts: standard output if it is a terminal, otherwise standard error if that
  /// is one; nil if there is no terminal to prompt on, or none to type at.
  package let promptDescriptor: Int32?

  private let standardOutput: Int32
  private let standardError: Int32
  private let editor = Mutex<LineEditor?>(nil)
  private let outputLock = Mutex<Void>(())
  /// Guards standard error, and also standard output if that is a terminal: both share one screen.
  private let statusLine = Mutex<StatusLine>(StatusLine())

  /// A console on the three standard streams, or on other descriptors instead.
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

  /// Makes a write to a closed pipe an error instead of ending the process. Call once at the start.
  package static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

  /// Opens a substitute for each of the descriptors 0, 1 and 2 that the caller closed (`>&-`), so
  /// that no socket gets one of these numbers and receives output. Reading from the substitute
  /// returns the end of input; writing to it fails with EBADF as before. Call once at the start,
  /// before anything is opened.
  package static func occupyClosedStreams() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free number is this one, since all below are open by now.
      _ = open("/dev/null", O_RDONLY)
    }
  }

  /// Writes a received payload to standard output, unchanged.
  ///
  /// - Throws: `OutputError` if the write fails.
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
      // After an incomplete line, the status would overwrite it when it is next erased.
      if bytes.last == 0x0A { status.draw(on: standardError) }
    }
  }

  /// Writes a received payload to standard output, unchanged.
  ///
  /// - Throws: `OutputError` if the write fails.
  package func payload(_ bytes: [UInt8]) throws(OutputError) {
    let written = bytes.withUnsafeBytes { bytes in
      Result { () throws(OutputError) in try payload(bytes) }
    }
    try written.get()
  }

  /// Writes one line (passed without its newline) to standard error. A failed write is ignored,
  /// since there is no other stream to report it on.
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

  /// Shows a progress line that replaces the previous one; nil removes it.
  ///
  /// It is cut to the width of the terminal. Does nothing if standard error is not a terminal, or
  /// while an editor is attached.
  package func status(_ line: String?) {
    guard standardErrorIsTerminal, attachedEditor == nil else { return }
    statusLine.withLock { status in
      if line == nil { status.erase(on: standardError) }
      status.text = line
      status.draw(on: standardError)
    }
  }

  /// Makes all output to a terminal appear above the prompt of `editor` from now on.
  package func attach(_ editor: LineEditor) {
    status(nil)
    self.editor.withLock { $0 = editor }
  }

  /// Ends the effect of `attach`. Stop the editor first, so that its pending output is written
  /// first.
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
