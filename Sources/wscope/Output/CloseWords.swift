import Glibc
import Terminal
import WebSocketProtocol

/// How a connection ended, in words.
enum CloseWords {
  /// `closed 1008 policy violation "nope" (by the peer)`.
  static func line(_ outcome: CloseOutcome, escapes: Bool) -> String {
    switch outcome {
    case .closed(let frame, let initiator):
      let by = initiator == .us ? "by us" : "by the peer"
      return "closed \(code(frame, escapes: escapes)) (\(by))"
    case .failed(let violation):
      return "protocol violation by the peer: \(violation.reason) "
        + "(closed with \(violation.closeCode.rawValue))"
    case .lost(let end):
      return "connection lost: 1006, no Close frame (\(words(end)))"
    }
  }

  /// `1008 policy violation "nope"`.
  static func code(_ frame: CloseFrame, escapes: Bool) -> String {
    let code = frame.reportedCode
    let words = "\(code.rawValue) \(code.name)"
    guard !frame.reason.isEmpty else { return words }
    let reason =
      escapes
      ? ControlCharacters.escaped(frame.reason, keepingNewlines: false, highlight: false)
      : frame.reason
    return "\(words) \"\(reason)\""
  }

  static func words(_ end: TransportEnd) -> String {
    switch end {
    case .endOfStream: "the peer ended the TCP connection"
    case .reset(let errno):
      errno == 0 || errno == ECONNRESET
        ? "TCP reset by the peer" : String(cString: strerror(errno))
    case .timedOut(.closingHandshake): "no Close came back in time"
    case .timedOut(.ping): "no pong came back in time"
    case .abandoned: "given up"
    }
  }
}
