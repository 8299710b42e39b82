import NIOCore
import Terminal
import WebSocketProtocol

/// The format of a message on standard output (PRODUCT 1.3): the payload and its terminator.
struct PayloadFormat: Hashable, Sendable {
  enum Terminator: Hashable, Sendable {
    case newline
    case null
    case none
  }

  var terminator = Terminator.newline
  /// Whether standard output is a terminal: untrusted bytes are then escaped, binary messages are
  /// dumped in hexadecimal, and long messages are truncated.
  var isForTerminal: Bool
  /// Whether JSON text is pretty-printed.
  var indentsJSON = false

  /// The bytes to write; `stamp` precedes anything that is shown as text. A binary message to a
  /// pipe is still its exact bytes.
  func bytes(_ kind: MessageKind, _ payload: ByteBuffer, stamp: String? = nil) -> [UInt8] {
    let lead = stamp.map { $0 + " " } ?? ""
    guard isForTerminal else {
      var bytes = Array(payload.readableBytesView)
      if indentsJSON, kind == .text,
        let json = JSONText(style: Style(isOn: false), escapes: false).indented(bytes, limit: .max)
      {
        bytes = Array(json.text.utf8)
      }
      if kind == .text, !lead.isEmpty { bytes = Array(lead.utf8) + bytes }
      switch (terminator, kind) {
      // A binary message to a pipe is its exact bytes: nothing is added that could be mistaken for
      // payload.
      case (.newline, .text): bytes.append(0x0A)
      case (.null, _): bytes.append(0)
      case (.newline, .binary), (.none, _): break
      }
      return bytes
    }
    let isDump = kind == .binary && !lead.isEmpty
    return Array((lead + (isDump ? "\n" : "") + shown(kind, payload) + "\n").utf8)
  }

  /// A message in the form shown on a terminal.
  private func shown(_ kind: MessageKind, _ payload: ByteBuffer) -> String {
    switch kind {
    case .text:
      if indentsJSON,
        let json = JSONText(style: Style(isOn: false)).indented(Array(payload.readableBytesView))
      {
        return json.isCut ? json.text + "\n... and more" : json.text
      }
      let cut = payload.withUnsafeReadableBytes { ControlCharacters.cut($0, highlight: true) }
      guard cut.bytesLeftOut > 0 else { return cut.text }
      return cut.text + "... \(Figures.count(cut.bytesLeftOut)) more bytes"
    case .binary:
      let limit = 4096
      let dump = HexDump.text(payload.readableBytesView.prefix(limit))
      let left = payload.readableBytes - limit
      return left > 0 ? dump + "\n... \(Figures.count(left)) more bytes" : dump
    }
  }
}
