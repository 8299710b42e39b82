import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// A transport around that of an event stream: writes the payloads of text frames without their headers,
/// and a comment in place of a ping; a Close ends the stream.
final class EventStreamTransport: ConnectionTransport {
  private let inner: any ConnectionTransport
  /// The beginning of a frame whose rest a fault has cut off.
  private var pending = ByteBuffer()
  /// The Close that ended the stream.
  private(set) var closeFrame: CloseFrame?

  init(_ inner: any ConnectionTransport) { self.inner = inner }

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
    if text.readableBytes > 0 { inner.write(&text) }
    if closeFrame != nil { inner.closeOutput() }
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
