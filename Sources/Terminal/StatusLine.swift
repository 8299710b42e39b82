import Glibc

/// A line at the bottom of a terminal that is redrawn in place.
struct StatusLine {
  var text: String?
  private var isShown = false

  /// Removes the line from the screen, so that other text can be written there.
  mutating func erase(on descriptor: Int32) {
    guard isShown else { return }
    isShown = false
    put("\r\u{1b}[K", on: descriptor)
  }

  /// Shows the current text, replacing the one shown before.
  mutating func draw(on descriptor: Int32) {
    guard let text else { return }
    isShown = true
    // One column stays free: a full line would leave the cursor in the next one on some terminals.
    let room = TerminalSize.of(descriptor).columns - 1
    put("\r\(DisplayWidth.cut(text, toColumns: room))\u{1b}[K", on: descriptor)
  }

  private func put(_ text: String, on descriptor: Int32) {
    var text = text
    text.withUTF8 { try? writeFully(UnsafeRawBufferPointer($0), to: descriptor) }
  }
}

/// The size of a terminal in characters.
package struct TerminalSize: Equatable, Sendable {
  /// The width, in characters of normal width.
  package let columns: Int
  /// The height.
  package let rows: Int

  /// The size of the terminal on a descriptor; 80 by 24 if it is unknown.
  package static func of(_ descriptor: Int32) -> TerminalSize {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
      return TerminalSize(columns: 80, rows: 24)
    }
    return TerminalSize(columns: Int(size.ws_col), rows: Int(size.ws_row))
  }
}
