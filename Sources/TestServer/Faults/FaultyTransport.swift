import NIOCore
import WebSocketNIO

/// A transport around the transport of a connection, for faults of the transport.
final class FaultyTransport: ConnectionTransport {
  private let inner: any ConnectionTransport
  /// Called when something has been written.
  var written: () -> Void = {}
  /// Called before the connection is reset by a fault that was set before.
  var willReset: () -> Void = {}
  /// Bytes before a reset; nil for no limit.
  private var left: Int?

  init(_ inner: any ConnectionTransport) {
    self.inner = inner
  }

  var eventLoop: any EventLoop { inner.eventLoop }
  var remoteAddress: SocketAddress? { inner.remoteAddress }
  var isWritable: Bool { inner.isWritable }
  var bufferedBytes: Int { inner.bufferedBytes }

  /// Nothing more is written.
  private var isEnded = false

  func write(_ output: inout ByteBuffer) {
    guard !isEnded else { return output.clear() }
    if let left {
      self.left = left - output.readableBytes
      if output.readableBytes >= left {
        output.moveWriterIndex(to: output.readerIndex + left)
        inner.write(&output)
        return resetNow()
      }
    }
    inner.write(&output)
    written()
  }

  /// Resets the connection after so many bytes more.
  func limit(to bytes: Int) { left = min(left ?? .max, bytes) }

  /// Resets the connection after a time.
  func reset(after time: TimeAmount) {
    eventLoop.assumeIsolated().scheduleTask(in: time) { [weak self] in self?.resetNow() }
  }

  private func resetNow() {
    guard !isEnded else { return }
    isEnded = true
    willReset()
    inner.reset()
  }

  /// Ends the output with a FIN, without a Close frame. A peer that does not end too is not waited for.
  func end() {
    isEnded = true
    inner.closeOutput()
    eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { [weak self] in self?.inner.close() }
  }

  func setReading(_ reads: Bool) { inner.setReading(reads) }
  func closeOutput() { if !isEnded { inner.closeOutput() } }
  func close() { inner.close() }
  func reset() { inner.reset() }
}
