/// Finds the frame headers in a byte stream, however it is split. It validates nothing: if the
/// stream violates the protocol, the results are meaningless too.
package struct FrameScanner: Sendable {
  /// The remaining payload bytes of the last frame found.
  private var payloadLeft: UInt64 = 0
  /// The beginning of a header that is not complete yet.
  private var unfinished: [UInt8] = []

  package init() {}

  /// The headers that end in these bytes, in order.
  package mutating func scan(_ bytes: UnsafeRawBufferPointer) -> [FrameHeader] {
    var headers: [FrameHeader] = []
    var offset = skipPayload(from: 0, of: bytes.count)
    while offset < bytes.count {
      let taken = unfinished.count
      unfinished += bytes.dropFirst(offset).prefix(FrameHeader.maximumLength - taken)
      guard case .header(let header, let length) = unfinished.withUnsafeBytes(FrameHeader.read)
      else { return headers }
      unfinished = []
      payloadLeft = header.payloadLength
      headers.append(header)
      offset = skipPayload(from: offset + length - taken, of: bytes.count)
    }
    return headers
  }

  /// The offset after the remaining payload, in a piece of `count` bytes.
  private mutating func skipPayload(from offset: Int, of count: Int) -> Int {
    let skipped = min(payloadLeft, (count - offset).asUInt64)
    payloadLeft -= skipped
    return offset + skipped.asInt
  }
}
