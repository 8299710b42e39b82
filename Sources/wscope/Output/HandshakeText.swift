import Conversation
import NIOCore
import NIOHTTP1
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// What `-v`, `/headers` and `/info` say of a handshake.
struct HandshakeText {
  let info: HandshakeInfo
  /// Whether strangers' bytes must be escaped: the stream is a terminal.
  let escapes: Bool
  var showsSecrets = false

  /// All of it, as `-v` tells it.
  var lines: [String] { [connected] + headers + agreed }

  /// `connected to 127.0.0.1:443, TLSv1.3 (tcp 1 ms, upgrade 2 ms)`.
  var connected: String {
    let phases = Self.phases(info.timings).map { "\($0.name) \(Figures.duration($0.duration))" }
    let version = info.tls.map { ", \($0.version.name)" } ?? ""
    let place =
      info.tunnel.map { "\($0.destination) through the proxy \($0.proxy)" }
      ?? Diagnostician.text(info.remoteAddress)
    return "connected to \(place)\(version) "
      + "(\(phases.joined(separator: ", ")))"
  }

  /// What took place, in order.
  static func phases(_ timings: HandshakeTimings) -> [SessionEvent.Phase] {
    let phases: [(String, Int64?)] = [
      ("dns", timings.resolve), ("tcp", timings.connect), ("proxy", timings.proxy),
      ("tls", timings.tls), ("upgrade", timings.upgrade),
    ]
    return phases.compactMap { name, duration in duration.map { SessionEvent.Phase(name, $0) } }
  }

  /// The two heads, `>` sent and `<` received.
  var headers: [String] {
    let target = showsSecrets ? info.request.uri : Redaction.url(info.request.uri)
    let version = info.request.version.major == 2 ? "HTTP/2" : "HTTP/1.1"
    let reason = info.reasonPhrase.isEmpty ? "" : " \(safe(info.reasonPhrase))"
    let reply = "< \(version) \(info.status.code)\(reason)"
    return ["> \(info.request.method.rawValue) \(target) \(version)"]
      + fields(info.request.headers, mark: ">")
      + [reply] + fields(info.headers, mark: "<")
  }

  /// What both sides agreed on, and who the server says it is.
  var agreed: [String] {
    var lines: [String] = []
    if let deflate = info.deflate { lines.append("compression \(deflate.text)") }
    if let subprotocol = info.subprotocol { lines.append("subprotocol \(safe(subprotocol))") }
    if let tls = info.tls { lines += CertificateText(tls, escapes: escapes).lines }
    return lines
  }

  private func fields(_ fields: HTTPHeaders, mark: String) -> [String] {
    fields.map { name, value in
      let shown = Redaction.value(value, of: name, showsSecrets: showsSecrets)
      return "\(mark) \(safe(name)): \(safe(shown))"
    }
  }

  private func safe(_ text: String) -> String {
    escapes ? ControlCharacters.escaped(text, keepingNewlines: false, highlight: false) : text
  }

  /// What compression achieved, of each direction that had any.
  static func lines(_ traffic: CompressionTraffic) -> [String] {
    [
      ("received", traffic.inflatedTo, traffic.inflatedFrom),
      ("sent", traffic.deflatedFrom, traffic.deflatedTo),
    ].compactMap { direction, plain, wire in
      guard plain > 0 else { return nil }
      let share = Figures.percent(Double(wire) / Double(plain), decimals: 1)
      return "compressed, \(direction): \(Figures.bytes(Int(clamping: plain))) in "
        + "\(Figures.bytes(Int(clamping: wire))) (\(share))"
    }
  }
}
