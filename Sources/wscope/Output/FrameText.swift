import WebSocketProtocol

/// A frame header as printed by `-vv`: `> frame text, 5 B, masked`.
enum FrameText {
  static func line(_ header: FrameHeader, isIncoming: Bool) -> String {
    var words = "\(isIncoming ? "<" : ">") frame \(name(header.opcode)), "
    words += Figures.bytes(Int(clamping: header.payloadLength))
    if header.maskingKey != nil { words += ", masked" }
    if header.reservedBits & 0x4 != 0 { words += ", compressed" }
    if header.reservedBits & 0x3 != 0 { words += ", reserved bits set" }
    if !header.isFinal { words += ", not final" }
    return words
  }

  private static func name(_ opcode: Opcode) -> String {
    switch opcode {
    case .continuation: "continuation"
    case .text: "text"
    case .binary: "binary"
    case .close: "close"
    case .ping: "ping"
    case .pong: "pong"
    default: "opcode \(opcode.rawValue)"
    }
  }
}
