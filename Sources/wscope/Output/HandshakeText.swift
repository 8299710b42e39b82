import NIOCore
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// What `-v` and `/info` say of a handshake.
enum HandshakeText {
  static func lines(_ info: HandshakeInfo, escapes: Bool) -> [String] {
    var lines: [String] = []
    let timings = info.timings
    var phases: [String] = []
    if let resolve = timings.resolve { phases.append("dns \(Figures.duration(resolve))") }
    phases.append("tcp \(Figures.duration(timings.connect))")
    if let tls = timings.tls { phases.append("tls \(Figures.duration(tls))") }
    phases.append("upgrade \(Figures.duration(timings.upgrade))")
    let version = info.tlsVersion.map { ", \($0)" } ?? ""
    lines.append(
      "connected to \(Diagnostician.text(info.remoteAddress))\(version) "
        + "(\(phases.joined(separator: ", ")))")
    lines.append("< HTTP/1.1 101 Switching Protocols")
    for (name, value) in info.headers {
      lines.append("< \(safe(name, escapes)): \(safe(value, escapes))")
    }
    if let deflate = info.deflate { lines.append("compression \(deflate.text)") }
    if let subprotocol = info.subprotocol {
      lines.append("subprotocol \(safe(subprotocol, escapes))")
    }
    return lines
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

  private static func safe(_ text: String, _ escapes: Bool) -> String {
    escapes ? ControlCharacters.escaped(text, keepingNewlines: false, highlight: false) : text
  }
}
