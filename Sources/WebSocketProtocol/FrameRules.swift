/// Whether a frame header is allowed in its context (RFC 6455 sections 5.1 to 5.5). A pure
/// function, separate from reading the header and from interpreting the payload.
package enum FrameRules {
  /// The state of the message that the frame may belong to.
  package struct Context: Sendable {
    package var role: Role
    package var limits: Limits
    /// Whether a fragmented message has begun and not ended.
    package var isInsideMessage: Bool
    /// The bytes and frames of that message so far.
    package var messageSize: Int
    package var fragments: Int
    /// Whether permessage-deflate is negotiated, so that RSV1 may mark a message as compressed.
    package var allowsCompression: Bool
    /// Whether the current message is compressed.
    package var isCompressed: Bool

    package init(
      role: Role, limits: Limits, isInsideMessage: Bool = false, messageSize: Int = 0,
      fragments: Int = 0, allowsCompression: Bool = false, isCompressed: Bool = false
    ) {
      self.role = role
      self.limits = limits
      self.isInsideMessage = isInsideMessage
      self.messageSize = messageSize
      self.fragments = fragments
      self.allowsCompression = allowsCompression
      self.isCompressed = isCompressed
    }
  }

  /// The first rule that `header` breaks, or nil.
  @inline(__always)
  package static func violation(
    of header: FrameHeader, in context: Context
  ) -> ProtocolViolation? {
    // "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values."
    // RFC 7692 section 6: RSV1 is set on the first frame of a compressed message, and only there.
    guard header.reservedBits == 0 || isCompressionMark(header, context) else {
      return reservedBits(of: header, context)
    }
    // "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket
    // Connection_."
    guard !header.opcode.isReserved else { return .reservedOpcode(header.opcode.rawValue) }
    switch context.role {
    case .server:
      // "The server MUST close the connection upon receiving a frame that is not masked."
      guard header.maskingKey != nil else { return .unmaskedFromClient }
    case .client:
      // "A client MUST close a connection if it detects a masked frame."
      guard header.maskingKey == nil else { return .maskedFromServer }
    }
    // "(the most significant bit MUST be 0)"
    guard header.payloadLength >> 63 == 0 else { return .lengthHasTopBit }

    if header.opcode.isControl {
      // "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be
      // fragmented."
      guard header.isFinal else { return .fragmentedControlFrame(header.opcode) }
      guard header.payloadLength <= 125 else {
        return .controlFrameTooLong(header.payloadLength)
      }
      return nil
    }

    if header.opcode == .continuation {
      guard context.isInsideMessage else { return .continuationWithoutStart }
      guard context.fragments < context.limits.fragments else {
        return .tooManyFragments(limit: context.limits.fragments)
      }
    } else {
      guard !context.isInsideMessage else { return .unfinishedMessage(header.opcode) }
    }
    if let limit = context.limits.fragmentSize, header.payloadLength > limit.asUInt64 {
      return .fragmentTooBig(size: header.payloadLength, limit: limit)
    }
    if context.isCompressed || header.reservedBits != 0 {
      // The inflated size is limited during inflation. Here the limit applies to the compressed
      // size: deflate never makes a payload larger than this.
      let most = context.limits.messageSize &+ context.limits.messageSize >> 8 &+ 1024
      guard header.payloadLength <= most.asUInt64 else {
        return .messageTooBig(size: header.payloadLength, limit: context.limits.messageSize)
      }
      return nil
    }
    // The length has 63 bits and the message so far is below 1 GiB, so the sum cannot overflow.
    let size = header.payloadLength &+ context.messageSize.asUInt64
    guard size <= context.limits.messageSize.asUInt64 else {
      return .messageTooBig(size: size, limit: context.limits.messageSize)
    }
    return nil
  }

  @inline(never)
  private static func reservedBits(
    of header: FrameHeader, _ context: Context
  ) -> ProtocolViolation {
    // RSV1 is not the error if the extension is negotiated and gives it a meaning.
    let unknown = context.allowsCompression ? header.reservedBits & 0x3 : header.reservedBits
    guard unknown == 0 else { return .reservedBits(unknown) }
    guard !header.opcode.isReserved else { return .reservedOpcode(header.opcode.rawValue) }
    return .compressedFrame(header.opcode)
  }

  @inline(__always)
  private static func isCompressionMark(_ header: FrameHeader, _ context: Context) -> Bool {
    header.reservedBits == 0x4 && context.allowsCompression
      && (header.opcode == .text || header.opcode == .binary)
  }
}
