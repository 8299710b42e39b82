import LoadTesting
import WebSocketProtocol

/// Close codes in reports.
enum CloseNames {
  private static let names: [Int: String] = [
    1000: "normal", 1001: "going away", 1002: "protocol error", 1003: "unsupported data",
    1005: "no code", 1006: "no close frame", 1007: "invalid data", 1008: "policy violation",
    1009: "message too big", 1010: "extension missing", 1011: "server error",
    1012: "service restart", 1013: "try again later", 1014: "bad gateway",
  ]

  /// The meaning of a code; nil if it is not known.
  static func name(of code: Int, subprotocol: String?) -> String? {
    names[code]
      ?? CloseText.ownName(CloseCode(rawValue: UInt16(clamping: code)), subprotocol: subprotocol)
  }
}
