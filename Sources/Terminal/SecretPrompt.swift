import Glibc

extension Console {
  /// Asks the user for a secret, which is not shown while it is typed.
  ///
  /// For use before an editor starts. While this waits, `TerminalState.restore()` makes the
  /// terminal show typed keys again.
  ///
  /// - Returns: one line, without its newline; nil if there is no terminal to prompt on, or the
  ///   user presses Ctrl-D.
  package func secret(_ question: String) async -> String? {
    guard let terminal = promptDescriptor else { return nil }
    return await withCheckedContinuation { continuation in
      // The user may take minutes; Swift's pool must not be blocked for that long.
      DedicatedThread {
        continuation.resume(returning: askForSecret(question, on: terminal))
      }.detach()
    }
  }
}

private func askForSecret(_ question: String, on terminal: Int32) -> String? {
  var shown = termios()
  guard tcgetattr(STDIN_FILENO, &shown) == 0 else { return nil }
  var hidden = shown
  hidden.c_lflag &= ~tcflag_t(ECHO)
  TerminalState.promptBegan(on: terminal)
  defer {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown)
    TerminalState.promptEnded()
    // The newline that the user typed was not shown either.
    put("\n", on: terminal)
  }
  // TCSAFLUSH discards keys that were typed before the question was shown.
  var isHidden = false
  TerminalState.change { isHidden = tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0 }
  guard isHidden else { return nil }
  put(question, on: terminal)
  var answer: [UInt8] = []
  var byte: UInt8 = 0
  while true {
    let count = try? withUnsafeMutableBytes(of: &byte) {
      try readSome(into: $0, from: STDIN_FILENO)
    }
    guard count == 1 else { return answer.isEmpty ? nil : String(decoding: answer, as: UTF8.self) }
    if byte == 0x0A { return String(decoding: answer, as: UTF8.self) }
    answer.append(byte)
  }
}

private func put(_ text: String, on terminal: Int32) {
  var text = text
  text.withUTF8 { try? writeFully(UnsafeRawBufferPointer($0), to: terminal) }
}
