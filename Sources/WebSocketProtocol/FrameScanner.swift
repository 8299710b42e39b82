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
    var rest = bytes[...]
    while true {
      let skipped = min(payloadLeft, rest.count.unsigned64)
      payloadLeft -= skipped
      rest = rest.dropFirst(skipped.signed)
      guard !rest.isEmpty else { return headers }
      let taken = unfinished.count
      unfinished += rest.prefix(FrameHeader.maximumLength - taken)
      guard case .header(let header, let length) = unfinished.withUnsafeBytes(FrameHeader.read)
      else { return headers }
      rest = rest.dropFirst(length - taken)
      unfinished = []
      payloadLeft = header.payloadLength
      headers.append(header)
    }
  }
}
