/// A violation of the protocol by the peer. Each case carries the details for an error message. The
/// text for the user is made elsewhere; the reason for the Close frame is made here.
package enum ProtocolViolation: Error, Hashable, Sendable {
  case reservedBits(UInt8)
  /// RSV1 on a frame where permessage-deflate does not allow it: anywhere but on the first frame of
  /// a message (RFC 7692 section 6).
  case compressedFrame(Opcode)
  case reservedOpcode(UInt8)
  /// A server received a frame without a masking key (RFC 6455 section 5.1).
  case unmaskedFromClient
  /// A client received a frame with a masking key (section 5.1).
  case maskedFromServer
  /// The most significant bit of a 64-bit length is set (section 5.2).
  case lengthHasTopBit
  case controlFrameTooLong(UInt64)
  case fragmentedControlFrame(Opcode)
  case continuationWithoutStart
  /// A text or binary frame arrived inside a fragmented message.
  case unfinishedMessage(Opcode)
  case closeBodyOfOneByte
  case invalidCloseCode(UInt16)
  case closeReasonIsNotUTF8(InvalidUTF8)
  case textIsNotUTF8(InvalidUTF8)
  /// Sizes in bytes. `size` is the minimum that the message would have.
  case messageTooBig(size: UInt64, limit: Int)
  /// A frame of a message; sizes in bytes.
  case fragmentTooBig(size: UInt64, limit: Int)
  case tooManyFragments(limit: Int)
  /// A compressed message that does not inflate, or does not end where it should (RFC 7692).
  case corruptCompression
  /// A compressed message that inflates to more than the limit, in bytes.
  case inflatesBeyondLimit(limit: Int)

  /// Whether the peer broke no rule, but exceeded one of our limits.
  package var isOverOwnLimit: Bool { closeCode == .tooBig }

  /// The status code to close with (RFC 6455 section 7.4.1).
  package var closeCode: CloseCode {
    switch self {
    case .textIsNotUTF8, .closeReasonIsNotUTF8, .corruptCompression: .invalidPayload
    case .messageTooBig, .fragmentTooBig, .tooManyFragments, .inflatesBeyondLimit: .tooBig
    default: .protocolError
    }
  }

  /// The reason to close with; at most 123 bytes.
  package var reason: String {
    switch self {
    case .reservedBits(let bits):
      "reserved bits set without an extension: RSV\(Self.names(ofReservedBits: bits))"
    case .compressedFrame(.continuation):
      "RSV1 on a continuation: only the first frame of a message may have it"
    case .compressedFrame(let opcode):
      "RSV1 on a \(Self.name(ofControl: opcode)): control frames are never compressed"
    case .reservedOpcode(let code): "reserved opcode \(code)"
    case .unmaskedFromClient: "a frame from a client must be masked"
    case .maskedFromServer: "a frame from a server must not be masked"
    case .lengthHasTopBit: "the top bit of a 64-bit length must be 0"
    case .controlFrameTooLong(let length): "control frame of \(length) bytes (at most 125)"
    case .fragmentedControlFrame(let opcode): "fragmented control frame (opcode \(opcode.rawValue))"
    case .continuationWithoutStart: "continuation frame without a message to continue"
    case .unfinishedMessage(let opcode):
      "new message (opcode \(opcode.rawValue)) inside a fragmented one"
    case .closeBodyOfOneByte: "close frame with a body of one byte"
    case .invalidCloseCode(let code): "close code \(code) is not allowed on the wire"
    case .closeReasonIsNotUTF8: "close reason is not valid UTF-8"
    case .textIsNotUTF8: "text is not valid UTF-8"
    case .messageTooBig(let size, let limit):
      "message of \(size) bytes is over the limit of \(limit) (--max-message)"
    case .fragmentTooBig(let size, let limit):
      "fragment of \(size) bytes is over the limit of \(limit)"
    case .tooManyFragments: "too many fragments"
    case .corruptCompression: "compressed message is corrupt"
    case .inflatesBeyondLimit(let limit):
      "message inflates beyond the limit of \(limit) (--max-message)"
    }
  }

  private static func name(ofControl opcode: Opcode) -> String {
    switch opcode {
    case .ping: "ping"
    case .pong: "pong"
    default: "Close"
    }
  }

  private static func names(ofReservedBits bits: UInt8) -> String {
    var names: [String] = []
    if bits & 4 != 0 { names.append("1") }
    if bits & 2 != 0 { names.append("2") }
    if bits & 1 != 0 { names.append("3") }
    return names.joined(separator: "+")
  }
}

/// Why something could not be sent: the error is the caller's, not the peer's.
package enum SendError: Error, Hashable, Sendable {
  /// A Close frame has been sent or received, or the connection has failed: "the application MUST
  /// NOT send any more data frames after sending a Close frame" (RFC 6455 section 5.5.1).
  case closing
  /// The body of a ping or pong is over 125 bytes (section 5.5).
  case controlFrameTooLong(Int)
  /// The code is not allowed in a Close frame (section 7.4).
  case closeCode(CloseCode)
}
