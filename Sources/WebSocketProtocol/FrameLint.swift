/// Odd behaviour that the protocol permits, or that a receiver may overlook.
package enum Oddity: Sendable, Hashable, CaseIterable {
  /// A length encoded in more bytes than necessary.
  case longLength
  /// A fragment without payload that does not end its message.
  case emptyFragment
  /// A text fragment that ends inside a character, so that it can be validated only with the next
  /// one.
  case cutCharacter
  /// A client frame with the same masking key as the frame before it.
  case reusedMask

  /// The section of RFC 6455.
  package var section: String {
    switch self {
    case .longLength: "5.2"
    case .reusedMask: "5.3"
    case .emptyFragment: "5.4"
    case .cutCharacter: "5.6"
    }
  }
}

/// Counts the oddities in a stream of frames, however it is split. It works alongside the machine,
/// which does not depend on it.
package struct FrameLint: Sendable {
  package private(set) var counts: [Oddity: Int] = [:]
  /// The beginning of a header that is not complete yet.
  private var unfinished: [UInt8] = []
  private var frame = FrameHeader(opcode: .continuation, payloadLength: 0)
  /// The remaining payload bytes of `frame`.
  private var payloadLeft: UInt64 = 0
  private var isInsideFrame = false
  /// Whether the message is uncompressed text that has been valid so far.
  private var isPlainText = false
  private var text = UTF8Validator()
  /// The masking key, rotated to the next payload byte.
  private var key: UInt32 = 0
  private var lastKey: UInt32?

  package init() {}

  /// Scans bytes from the wire, before they are unmasked.
  package mutating func scan(_ bytes: UnsafeRawBufferPointer) {
    var offset = 0
    while true {
      if isInsideFrame {
        let count = min(payloadLeft, (bytes.count &- offset).asUInt64).asInt
        take(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset &+ count]))
        offset &+= count
        guard payloadLeft == 0 else { return }
        end()
      }
      guard offset < bytes.count else { return }
      let taken = unfinished.count
      unfinished += bytes[offset...].prefix(FrameHeader.maximumLength &- taken)
      guard case .header(let header, let length) = unfinished.withUnsafeBytes(FrameHeader.read)
      else { return }
      unfinished = []
      offset &+= length &- taken
      begin(header, length: length)
    }
  }

  private mutating func begin(_ header: FrameHeader, length: Int) {
    frame = header
    payloadLeft = header.payloadLength
    isInsideFrame = true
    if length > header.encodedLength { count(.longLength) }
    if let maskingKey = header.maskingKey, maskingKey == lastKey { count(.reusedMask) }
    lastKey = header.maskingKey
    key = header.maskingKey ?? 0
    guard !header.opcode.isControl else { return }
    if header.payloadLength == 0, !header.isFinal { count(.emptyFragment) }
    guard header.opcode != .continuation else { return }
    isPlainText = header.opcode == .text && header.reservedBits == 0
    text = UTF8Validator()
  }

  private mutating func take(_ piece: UnsafeRawBufferPointer) {
    payloadLeft &-= piece.count.asUInt64
    guard isPlainText, !frame.opcode.isControl else { return }
    // Invalid text is reported by the machine.
    if !validate(piece) { isPlainText = false }
  }

  private mutating func validate(_ piece: UnsafeRawBufferPointer) -> Bool {
    guard frame.maskingKey != nil, let source = piece.baseAddress else {
      return text.validate(piece)
    }
    // Into a copy: the machine unmasks the bytes in place later.
    let unmasked = [UInt8](unsafeUninitializedCapacity: piece.count) { space, count in
      count = piece.count
      guard let destination = space.baseAddress else { return }
      Masking.apply(key, from: source, to: destination, count: count)
    }
    key = Masking.rotated(key, by: piece.count)
    return unmasked.withUnsafeBytes { text.validate($0) }
  }

  private mutating func end() {
    isInsideFrame = false
    guard isPlainText, !frame.opcode.isControl, !frame.isFinal, frame.payloadLength > 0,
      !text.isComplete
    else { return }
    count(.cutCharacter)
  }

  private mutating func count(_ oddity: Oddity) { counts[oddity, default: 0] += 1 }
}
