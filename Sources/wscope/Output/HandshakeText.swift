import Conversation
import NIOCore
import NIOHTTP1
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// The output of `-v`, `/headers` and `/info` about a handshake.
struct HandshakeText {
  let info: HandshakeInfo
  var showsSecrets = false

  /// All lines, as printed by `-v`.
  var lines: [String] { [connected] + headers + agreed }

  /// `connected to 127.0.0.1:443, TLSv1.3 (tcp 1 ms, upgrade 2 ms)`.
  var connected: String {
    let phases = Self.phases(info.timings).map { "\($0.name) \(Figures.duration($0.duration))" }
    let version = info.tls.map { ", \($0.version.name)" } ?? ""
    let endpoint =
      info.tunnel.map { "\($0.destination) through the proxy \($0.proxy)" }
      ?? Diagnostician.text(info.remoteAddress)
    return "connected to \(endpoint)\(version) "
      + "(\(phases.joined(separator: ", ")))"
  }

  /// The phases that took place, in order.
  static func phases(_ timings: HandshakeTimings) -> [SessionEvent.Phase] {
    let phases: [(String, Int64?)] = [
      ("dns", timings.resolve), ("tcp", timings.connect), ("proxy", timings.proxy),
      ("tls", timings.tls), ("upgrade", timings.upgrade),
    ]
    return phases.compactMap { name, duration in duration.map { SessionEvent.Phase(name, $0) } }
  }

  /// The two heads, `>` sent and `<` received.
  var headers: [String] {
    let version = info.request.version.major == 2 ? "HTTP/2" : "HTTP/1.1"
    let reason = info.reasonPhrase.isEmpty ? "" : " \(info.reasonPhrase)"
    let reply = ["< \(version) \(info.status.code)\(reason)"]
    let request = Self.lines(info.request, raw: info.rawRequest, showsSecrets)
    return (request + reply + Self.lines(info.headers, "<", showsSecrets)).map(safe)
  }

  /// The two heads of a failed handshake, as far as they were sent and received.
  static func heads(_ heads: HandshakeTranscript.Heads, showsSecrets: Bool) -> [String] {
    var lines = heads.request.map { self.lines($0, raw: heads.rawRequest, showsSecrets) } ?? []
    if let reply = heads.fields {
      lines.append("< HTTP/2 \(reply.status.code)")
      lines += self.lines(reply.headers, "<", showsSecrets)
    } else {
      lines += self.lines(heads.reply, "<", showsSecrets)
    }
    return lines.map { ControlCharacters.escaped($0, keepingNewlines: false, highlight: false) }
  }

  private static func lines(
    _ request: HTTPRequestHead, raw: RawRequest?, _ showsSecrets: Bool
  ) -> [String] {
    if let raw { return lines(raw.bytes, ">", showsSecrets) }
    let target = showsSecrets ? request.uri : Redaction.url(request.uri)
    let version = request.version.major == 2 ? "HTTP/2" : "HTTP/1.1"
    return ["> \(request.method.rawValue) \(target) \(version)"]
      + lines(request.headers, ">", showsSecrets)
  }

  private static func lines(
    _ fields: HTTPHeaders, _ mark: String, _ showsSecrets: Bool
  ) -> [String] {
    fields.map { name, value in
      "\(mark) \(name): \(Redaction.value(value, of: name, showsSecrets: showsSecrets))"
    }
  }

  /// A head in wire format, up to its empty line. Its lines may be invalid fields.
  private static func lines(_ head: [UInt8], _ mark: String, _ showsSecrets: Bool) -> [String] {
    head.split(separator: 0x0A, omittingEmptySubsequences: false).map { line in
      String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
    }.prefix { !$0.isEmpty }.map { line in
      guard let colon = line.firstIndex(of: ":") else {
        return "\(mark) \(showsSecrets ? line : Redaction.url(line))"
      }
      let name = String(line[..<colon])
      let value = HeaderField.trimmed(line[colon...].dropFirst())
      let shown = Redaction.value(value, of: name, showsSecrets: showsSecrets)
      return "\(mark) \(shown == value ? line : "\(name): \(shown)")"
    }
  }

  static func ignoredFields(_ info: HandshakeInfo) -> String {
    let names = info.ignoredFields.joined(separator: ", ")
    return "the 101 reply has \(names), although it cannot have a body (RFC 9112); ignored"
  }

  /// The negotiated parameters, and the identity that the server claims.
  var agreed: [String] {
    var lines: [String] = []
    if let deflate = info.deflate { lines.append("compression \(deflate.text)") }
    if let subprotocol = info.subprotocol {
      lines.append("subprotocol \(safe(Redaction.subprotocols(subprotocol)))")
    }
    if let tls = info.tls { lines += CertificateText(tls).lines }
    return lines
  }

  private func safe(_ text: String) -> String {
    ControlCharacters.escaped(text, keepingNewlines: false, highlight: false)
  }

  /// The effect of compression, for each direction in which it was used.
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
