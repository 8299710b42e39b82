import NIOCore
import Terminal
import WebSocketProtocol

/// Messages as the prompt session shows them.
enum Transcript {
  /// `< text`, further lines indented, so that no message can pass for a mark of ours.
  static func received(_ kind: MessageKind, _ payload: ByteBuffer, _ style: Style) -> String {
    let shown = PayloadFormat.shown(kind, payload)
    let indented = shown.split(separator: "\n", omittingEmptySubsequences: false)
      .joined(separator: "\n  ")
    let lead = kind == .binary ? "binary \(Figures.bytes(payload.readableBytes))\n  " : ""
    return "\(style(.cyan, "<")) \(lead)\(indented)\n"
  }
}
