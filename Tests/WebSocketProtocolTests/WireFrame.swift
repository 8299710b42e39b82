import WebSocketProtocol

/// One frame as the tests write it and as they find it in the output of a machine. It is encoded
/// and decoded here by the letter of RFC 6455 section 5.2 and not by the product's own code, so
/// that the two cannot be wrong together.
struct WireFrame: Hashable, CustomStringConvertible {
  var isFinal = true
  var reservedBits: UInt8 = 0
  var opcode: UInt8
  var payload: [UInt8] = []
  /// What the header declares, when that is not the length of the payload.
  var declaredLength: UInt64?
  var form = LengthForm.shortest

  enum LengthForm: Hashable, CaseIterable {
    case shortest
    case sixteenBits
    case sixtyFourBits
  }

  static func text(_ text: String, isFinal: Bool = true) -> WireFrame {
    .text(Array(text.utf8), isFinal: isFinal)
  }

  static func text(_ bytes: [UInt8], isFinal: Bool = true) -> WireFrame {
    WireFrame(isFinal: isFinal, opcode: 1, payload: bytes)
  }

  static func binary(_ bytes: [UInt8], isFinal: Bool = true) -> WireFrame {
    WireFrame(isFinal: isFinal, opcode: 2, payload: bytes)
  }

  static func continuation(_ text: String, isFinal: Bool = true) -> WireFrame {
    .continuation(Array(text.utf8), isFinal: isFinal)
  }

  static func continuation(_ bytes: [UInt8], isFinal: Bool = true) -> WireFrame {
    WireFrame(isFinal: isFinal, opcode: 0, payload: bytes)
  }

  static func ping(_ text: String = "") -> WireFrame {
    WireFrame(opcode: 9, payload: Array(text.utf8))
  }

  static func pong(_ text: String = "") -> WireFrame {
    WireFrame(opcode: 10, payload: Array(text.utf8))
  }

  static func close(_ code: UInt16? = nil, _ reason: String = "") -> WireFrame {
    .close(code, Array(reason.utf8))
  }

  static func close(_ code: UInt16?, _ reason: [UInt8]) -> WireFrame {
    let status = code.map { [UInt8($0 >> 8), UInt8($0 & 255)] } ?? []
    return WireFrame(opcode: 8, payload: status + reason)
  }

  /// The Close that answers `violation`.
  static func close(_ violation: ProtocolViolation) -> WireFrame {
    .close(violation.closeCode.rawValue, violation.reason)
  }

  var description: String {
    let bits = (isFinal ? "FIN " : "") + (reservedBits == 0 ? "" : "RSV=\(reservedBits) ")
    let shown = payload.prefix(32).map { byte in
      (0x21...0x7E).contains(byte) ? String(Unicode.Scalar(byte)) : "<\(byte)>"
    }
    return "\(bits)op\(opcode) [\(payload.count)] \(shown.joined())"
  }
}

extension WireFrame {
  /// The frame on the wire, masked with `key` unless that is nil.
  func bytes(key: [UInt8]?) -> [UInt8] {
    let length = declaredLength ?? UInt64(payload.count)
    let maskBit: UInt8 = key == nil ? 0 : 0x80
    var bytes = [(isFinal ? 0x80 : 0) | reservedBits << 4 | opcode]
    switch form {
    case .shortest where length < 126:
      bytes.append(UInt8(length) | maskBit)
    case .shortest where length < 65_536, .sixteenBits:
      bytes.append(126 | maskBit)
      bytes += [UInt8(length >> 8 & 255), UInt8(length & 255)]
    case .shortest, .sixtyFourBits:
      bytes.append(127 | maskBit)
      for shift in stride(from: 56, through: 0, by: -8) {
        bytes.append(UInt8(length >> shift & 255))
      }
    }
    guard let key else { return bytes + payload }
    return bytes + key + payload.enumerated().map { $1 ^ key[$0 % 4] }
  }

  /// The frames on the wire as a peer of `role` sends them, the key of each frame another one.
  static func wire(_ frames: [WireFrame], to role: Role) -> [UInt8] {
    frames.enumerated().flatMap { index, frame in
      let step = UInt8(truncatingIfNeeded: index &* 29)
      return frame.bytes(key: role == .server ? [0x37 ^ step, 0xFA, 0x21 &+ step, 0x3D] : nil)
    }
  }
}

extension WireFrame {
  /// A frame taken apart, with the key that masked it.
  struct Decoded: Hashable {
    var frame: WireFrame
    var key: [UInt8]?
  }

  /// Takes apart what stands on the wire; nil unless that is whole frames with lengths in their
  /// shortest form.
  static func decode(_ bytes: [UInt8]) -> [Decoded]? {
    var rest = bytes[...]
    var decoded: [Decoded] = []
    while !rest.isEmpty {
      guard let next = decodeFirst(&rest) else { return nil }
      decoded.append(next)
    }
    return decoded
  }

  private static func decodeFirst(_ rest: inout ArraySlice<UInt8>) -> Decoded? {
    guard let first = rest.popFirst(), let second = rest.popFirst() else { return nil }
    var length = Int(second & 0x7F)
    let wide = length == 126 ? 2 : length == 127 ? 8 : 0
    if wide > 0 {
      guard rest.count >= wide else { return nil }
      length = rest.prefix(wide).reduce(0) { $0 << 8 | Int($1) }
      guard length > (wide == 2 ? 125 : 65_535) else { return nil }
      rest = rest.dropFirst(wide)
    }
    var key: [UInt8]?
    if second & 0x80 != 0 {
      guard rest.count >= 4 else { return nil }
      key = Array(rest.prefix(4))
      rest = rest.dropFirst(4)
    }
    guard rest.count >= length else { return nil }
    let payload = rest.prefix(length).enumerated().map { index, byte in
      byte ^ (key.map { $0[index % 4] } ?? 0)
    }
    rest = rest.dropFirst(length)
    let frame = WireFrame(
      isFinal: first & 0x80 != 0, reservedBits: first >> 4 & 7, opcode: first & 15,
      payload: payload)
    return Decoded(frame: frame, key: key)
  }
}
