import Glibc
import NIOCore
import NIOHTTP1
import Terminal
import TestServer
import WebSocketProtocol

/// The log of `listen`: one line an event. Strangers' text is escaped in a file too: a newline in
/// it would forge an event.
struct ServerLog {
  let style: Style

  func line(_ event: ServerEvent) -> String {
    switch event {
    case .opened(let client, let from, let arrival):
      let version = arrival.isHTTP2 ? ", HTTP/2" : ""
      let offered = arrival.subprotocol.map { ", subprotocol \(safe($0))" } ?? ""
      return "\(mark(client)) open   \(safe(arrival.target)) from \(origin(from))"
        + "\(version)\(offered)"
    case .message(let client, let message):
      return "\(mark(client)) \(style(.cyan, "<")) \(text(message))"
    case .closed(let client, let departure):
      let circumstances = CloseCircumstances(
        subprotocol: departure.subprotocol, idle: departure.idle.nanoseconds)
      let traffic = departure.traffic
      return
        "\(mark(client)) \(CloseWords.line(departure.outcome, circumstances, escapes: true))   "
        + "\(Figures.count(Int(clamping: traffic.messagesIn))) in, "
        + "\(Figures.count(Int(clamping: traffic.messagesOut))) out, "
        + Figures.duration(departure.duration.nanoseconds)
    case .refused(let from, let status, let explanation):
      return style(.yellow, "!")
        + " \(status.code) to \(origin(from)): \(safe(explanation))"
    case .acceptFailed(let code):
      return style(.yellow, "!")
        + " cannot accept more clients for now: \(SystemError(code: code).reason)"
        + (code == EMFILE ? "; raise the limit of open files: ulimit -n" : "")
    case .more(let messages):
      return style(.dim, "* \(Figures.count(Int(clamping: messages))) messages more in this second")
    }
  }

  /// A client of a unix socket has no name of its own.
  private func origin(_ address: SocketAddress?) -> String {
    let text = Diagnostician.text(address)
    return text.isEmpty ? "the unix socket" : text
  }

  private func mark(_ client: Int) -> String { style(.bold, "#\(client)") }

  private func text(_ message: MessageSummary) -> String {
    let kind = message.kind == .text ? "text" : "binary"
    let shown: String
    switch message.kind {
    case .text:
      // The preview may end inside a character; what is cut off there is no evidence of anything.
      let whole = message.preview.count == message.size
      let text = String(decoding: message.preview, as: UTF8.self)
      let cut = whole ? text : String(text.prefix(100)) + "..."
      shown = safe(cut)
    case .binary:
      let hex = message.preview.prefix(24).map { byte in
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
      }
      shown = hex.joined(separator: " ") + (message.size > 24 ? " ..." : "")
    }
    return "\(kind) \(Figures.bytes(message.size))  \(shown)"
  }

  private func safe(_ text: String) -> String {
    ControlCharacters.escaped(text, keepingNewlines: false, highlight: false)
  }
}
