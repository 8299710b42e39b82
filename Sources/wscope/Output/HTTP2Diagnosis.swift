import Terminal
import WebSocketNIO
import WebSocketProtocol

/// Diagnoses of failures of WebSocket over HTTP/2.
extension Diagnostician {
  func diagnose(_ failure: HTTP2Failure) -> Diagnosis {
    let plainly = "try: wscope \(command) \(Redaction.url("\(configuration.url)")), without --http2"
    switch failure {
    case .notChosen(let name):
      return Diagnosis(
        cause: "the server does not speak HTTP/2",
        details: ["got: ALPN chose \(name.map { safe($0) } ?? "nothing")", plainly])
    case .noExtendedConnect:
      return Diagnosis(
        cause: "the server does not support WebSocket over HTTP/2",
        details: ["got: SETTINGS without ENABLE_CONNECT_PROTOCOL (RFC 8441)", plainly])
    case .notHTTP2(let received):
      return Diagnosis(
        cause: "the server does not speak HTTP/2 on this port",
        details: ["got: \(firstLine(received))", plainly])
    case .reset(let code):
      return Diagnosis(
        cause: "the server refused the stream",
        details: ["got: RST_STREAM, \(Self.name(ofHTTP2Error: code))", plainly])
    case .goneAway(let code):
      return Diagnosis(
        cause: "the server accepts no more streams",
        details: [
          "got: GOAWAY, \(Self.name(ofHTTP2Error: code))",
          "hint: it may be shutting down; --wait-up retries until it is back",
        ])
    case .broken(let reason):
      return Diagnosis(
        cause: "HTTP/2 with the server failed", details: ["reason: \(safe(reason))", plainly])
    }
  }

  /// The names of RFC 9113 section 7.
  private static func name(ofHTTP2Error code: Int) -> String {
    let names = [
      "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
      "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
      "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
    ]
    return names.indices.contains(code) ? "\(names[code]) (\(code))" : "error \(code)"
  }
}
