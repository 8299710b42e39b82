import Glibc

/// A line at the foot of a terminal that is redrawn in place.
struct StatusLine {
  var text: String?
  private var isShown = false

  /// Takes the line off the screen, so that something else can be written there.
  mutating func erase(on descriptor: Int32) {
    guard isShown else { return }
    isShown = false
    put("\r\u{1b}[K", on: descriptor)
  }

  /// Shows the current text, in place of the one that is shown.
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

/// How many characters a terminal shows.
package struct TerminalSize: Equatable, Sendable {
  /// The width, in characters of ordinary width.
  package let columns: Int
  /// The height.
  package let rows: Int

  /// The size of the terminal behind a descriptor; 80 by 24 where it is unknown.
  package static func of(_ descriptor: Int32) -> TerminalSize {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
      return TerminalSize(columns: 80, rows: 24)
    }
    return TerminalSize(columns: Int(size.ws_col), rows: Int(size.ws_row))
  }
}
