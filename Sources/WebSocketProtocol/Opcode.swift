/// The four bits that specify the type of a frame (RFC 6455 section 5.2).
///
/// Codes that the RFC reserves are representable: a test tool must be able to show and send them.
package struct Opcode: RawRepresentable, Hashable, Sendable {
  package let rawValue: UInt8

  package init(rawValue: UInt8) {
    self.rawValue = rawValue & 0x0F
  }

  package static let continuation = Opcode(rawValue: 0x0)
  package static let text = Opcode(rawValue: 0x1)
  package static let binary = Opcode(rawValue: 0x2)
  package static let close = Opcode(rawValue: 0x8)
  package static let ping = Opcode(rawValue: 0x9)
  package static let pong = Opcode(rawValue: 0xA)

  /// "Control frames are identified by opcodes where the most significant bit of the opcode is 1."
  /// (RFC 6455 section 5.5)
  package var isControl: Bool { rawValue & 0x8 != 0 }

  /// Whether RFC 6455 leaves this code undefined: 0x3 to 0x7 and 0xB to 0xF.
  package var isReserved: Bool { rawValue & 0x7 > 2 }
}

/// The type of a data message.
package enum MessageKind: Sendable, Hashable {
  /// UTF-8 text, validated on receipt.
  case text
  /// Any bytes.
  case binary

  package var opcode: Opcode {
    switch self {
    case .text: .text
    case .binary: .binary
    }
  }
}

/// The end of the connection that a machine implements. Everything that differs between the two
/// follows from this value: a client masks its frames, and a server closes the transport first.
package enum Role: Sendable, Hashable {
  case client
  case server
}
