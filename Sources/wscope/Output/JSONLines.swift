import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// `--format jsonl`: one line an event, in the schema `"v":1` of PRODUCT 1.4.
struct JSONLines {
  /// What `t` counts from.
  let start: NIODeadline

  func opened(_ info: HandshakeInfo) -> [UInt8] {
    line("open") { json in
      json.member("status", 101)
      json.member("subprotocol", info.subprotocol)
      let extensions = [info.deflate?.text].compactMap { $0 }
      json.member("extensions", array: extensions) { json, name in json.string(name) }
      if let tls = info.tlsVersion { json.member("tls", tls) }
    }
  }

  func received(_ kind: MessageKind, _ payload: ByteBuffer, wire: Int, time: NIODeadline) -> [UInt8]
  {
    line("message", time) { json in
      json.member("dir", "in")
      json.member("type", kind == .text ? "text" : "binary")
      json.member("size", payload.readableBytes)
      json.member("wire", wire)
      switch kind {
      case .text: json.member("text", String(buffer: payload))
      case .binary:
        json.member("base64", payload.withUnsafeReadableBytes { Base64.encode($0) })
      }
    }
  }

  func control(_ event: String, _ payload: ByteBuffer, time: NIODeadline) -> [UInt8] {
    line(event, time) { json in
      json.member("dir", "in")
      json.member("size", payload.readableBytes)
      json.member("base64", payload.withUnsafeReadableBytes { Base64.encode($0) })
    }
  }

  func ended(_ outcome: CloseOutcome) -> [UInt8] {
    line("close") { json in
      switch outcome {
      case .closed(let frame, let initiator):
        json.member("dir", initiator == .peer ? "in" : "out")
        close(&json, frame.reportedCode, frame.reason, isClean: true)
      case .failed(let violation):
        json.member("dir", "out")
        close(&json, violation.closeCode, violation.reason, isClean: false)
      case .lost(let end):
        json.member("dir", "in")
        close(&json, .abnormal, CloseWords.words(end), isClean: false)
      }
    }
  }

  private func close(
    _ json: inout JSONWriter, _ code: CloseCode, _ reason: String, isClean: Bool
  ) {
    json.member("code", code.rawValue)
    json.member("name", code.name)
    json.member("reason", reason)
    json.member("clean", isClean)
  }

  private func line(
    _ event: String, _ time: NIODeadline = .now(), _ members: (inout JSONWriter) -> Void
  ) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.member("v", 1)
      // Four decimals, tenths of a millisecond, as the schema shows; more would be noise.
      let microseconds = (time - start).nanoseconds / 1000
      json.member("t", Double(max(microseconds, 0) / 100) / 10_000)
      json.member("conn", 1)
      json.member("event", event)
      members(&json)
    }
    json.startLine()
    return json.bytes
  }
}
