import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// A transport around that of an event stream: writes the payloads of text frames without their headers,
/// and a comment in place of a ping; a Close ends the stream.
final class EventStreamTransport: ConnectionTransport {
  private let inner: any ConnectionTransport
  private let isChunked: Bool
  /// The beginning of a frame whose rest a fault has cut off.
  private var pending = ByteBuffer()
  /// The Close that ended the stream.
  private(set) var closeFrame: CloseFrame?

  /// - Parameters:
  ///   - inner: Carries the stream.
  ///   - isChunked: Whether the stream is in chunks (RFC 9112 section 7.1).
  init(_ inner: any ConnectionTransport, isChunked: Bool = false) {
    self.inner = inner
    self.isChunked = isChunked
  }

  var eventLoop: any EventLoop { inner.eventLoop }
  var remoteAddress: SocketAddress? { inner.remoteAddress }
  var isWritable: Bool { inner.isWritable }
  var bufferedBytes: Int { inner.bufferedBytes }

  func write(_ output: inout ByteBuffer) {
    var text = ByteBuffer()
    pending.writeBuffer(&output)
    output.clear()
    while closeFrame == nil, let (opcode, payload) = nextFrame() {
      switch opcode {
      case .ping: text.writeStaticString(": ping\n\n")
      case .close:
        closeFrame = payload.withUnsafeReadableBytes { try? CloseFrame.read($0) } ?? CloseFrame(nil)
      default: text.writeImmutableBuffer(payload)
      }
    }
    if pending.readableBytes == 0 { pending = ByteBuffer() }
    if isChunked { text = Self.chunk(text, isLast: closeFrame != nil) }
    if text.readableBytes > 0 { inner.write(&text) }
    if closeFrame != nil { inner.closeOutput() }
  }

  private static func chunk(_ text: ByteBuffer, isLast: Bool) -> ByteBuffer {
    var chunk = ByteBuffer()
    if text.readableBytes > 0 {
      chunk.writeString(String(text.readableBytes, radix: 16) + "\r\n")
      chunk.writeImmutableBuffer(text)
      chunk.writeStaticString("\r\n")
    }
    if isLast { chunk.writeStaticString("0\r\n\r\n") }
    return chunk
  }

  private func nextFrame() -> (Opcode, ByteBuffer)? {
    let reading = pending.withUnsafeReadableBytes { FrameHeader.read($0) }
    guard case .header(let header, let length) = reading,
      let size = Int(exactly: header.payloadLength),
      pending.readableBytes - length >= size
    else { return nil }
    pending.moveReaderIndex(forwardBy: length)
    return pending.readSlice(length: size).map { (header.opcode, $0) }
  }

  func setReading(_ reads: Bool) { inner.setReading(reads) }
  func closeOutput() { inner.closeOutput() }
  func close() { inner.close() }
  func reset() { inner.reset() }
}
