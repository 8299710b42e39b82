import Glibc
import Terminal
import WebSocketProtocol

/// The text about how a connection ended.
enum CloseText {
  /// `closed 1008 policy violation "nope" (by the peer)`.
  static func line(
    _ outcome: CloseOutcome, _ circumstances: CloseCircumstances = CloseCircumstances()
  ) -> String {
    switch outcome {
    case .closed(let frame, let initiator):
      let by = initiator == .us ? "by us" : "by the peer"
      let code = code(frame, subprotocol: circumstances.subprotocol)
      return "closed \(code) (\(by))"
    case .failed(.tooManyFragments(let limit)):
      return "too many fragments: a message has more than \(limit) "
        + "(closed with \(CloseCode.tooBig.rawValue))"
    case .failed(let violation) where violation.isOverOwnLimit:
      return "\(violation.reason) (closed with \(violation.closeCode.rawValue))"
    case .failed(let violation):
      return "protocol violation by the peer: \(message(violation)) "
        + "(closed with \(violation.closeCode.rawValue))"
    case .lost(let end):
      let idle = circumstances.idle.map { "; idle for \(Figures.shortDuration($0))" } ?? ""
      return "connection lost: 1006, no Close frame (\(message(end))\(idle))"
    }
  }

  private static func message(_ violation: ProtocolViolation) -> String {
    switch violation {
    case .textIsNotUTF8(let evidence):
      "invalid UTF-8 in a text message: \(InvalidText.message(evidence))"
    case .closeReasonIsNotUTF8(let evidence):
      "invalid UTF-8 in a Close reason: \(InvalidText.message(evidence))"
    default: violation.reason
    }
  }

  /// The text if the peer ended or reset TCP when its answer to our Close was due; otherwise nil.
  static func unanswered(_ outcome: CloseOutcome) -> String? {
    switch outcome {
    case .lost(.endOfStream): "the peer ended TCP without answering our Close"
    case .lost(.reset): "the peer reset TCP without answering our Close"
    case .lost, .closed, .failed: nil
    }
  }

  /// `1008 policy violation "nope"`.
  static func code(
    _ frame: CloseFrame, subprotocol: String? = nil
  ) -> String {
    let code = frame.reportedCode
    let words = "\(code.rawValue) \(name(code, subprotocol: subprotocol))"
    guard !frame.reason.isEmpty else { return words }
    let reason = ControlCharacters.escaped(
      frame.reason, keepingNewlines: false, highlight: false)
    return "\(words) \"\(reason)\""
  }

  /// The name of a code; application codes are named by the subprotocol.
  static func name(_ code: CloseCode, subprotocol: String?) -> String {
    ownName(code, subprotocol: subprotocol) ?? code.name
  }

  /// The subprotocol's name for an application code; nil if unknown.
  static func ownName(_ code: CloseCode, subprotocol: String?) -> String? {
    subprotocol == "graphql-transport-ws" ? graphQL[code.rawValue] : nil
  }

  /// The codes of the protocol `graphql-transport-ws`, and those that its reference implementation
  /// adds.
  private static let graphQL: [UInt16: String] = [
    4004: "bad response", 4005: "internal client error", 4400: "invalid message",
    4401: "unauthorized", 4403: "forbidden", 4406: "subprotocol not acceptable",
    4408: "connection initialisation timeout", 4409: "subscriber already exists",
    4429: "too many initialisation requests", 4500: "internal server error",
    4504: "connection acknowledgement timeout",
  ]

  static func message(_ end: TransportEnd) -> String {
    switch end {
    case .endOfStream: "the peer ended the TCP connection"
    case .reset(let errno):
      errno == 0 || errno == ECONNRESET
        ? "TCP reset by the peer" : String(cString: strerror(errno))
    case .timedOut(.closingHandshake): "no Close from the peer in time"
    case .timedOut(.ping): "no pong from the peer in time"
    case .abandoned: "abandoned"
    }
  }
}
