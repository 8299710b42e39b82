/// Finds the frame headers in a stream of bytes, wherever its pieces end. It judges nothing: where the
/// stream breaks the protocol, what it finds is as wrong as the stream.
package struct FrameScanner: Sendable {
  /// Payload that is still to come of the frame whose header came last.
  private var payloadLeft: UInt64 = 0
  /// The beginning of a header.
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

  /// Where the payload that is still to come ends in a piece of `count` bytes.
  private mutating func skipPayload(from offset: Int, of count: Int) -> Int {
    let skipped = min(payloadLeft, (count - offset).unsigned64)
    payloadLeft -= skipped
    return offset + skipped.signed
  }
}
