import NIOCore
import WebSocketNIO

/// Wraps the transport of a connection to apply transport faults.
final class FaultyTransport: ConnectionTransport {
  private let inner: any ConnectionTransport
  /// Called after each write.
  var written: () -> Void = {}
  /// Called before `limit` or `reset(after:)` resets the connection.
  var willReset: () -> Void = {}
  /// Bytes left to write before a reset; nil for no limit.
  private var left: Int?

  init(_ inner: any ConnectionTransport) {
    self.inner = inner
  }

  var eventLoop: any EventLoop { inner.eventLoop }
  var remoteAddress: SocketAddress? { inner.remoteAddress }
  var isWritable: Bool { inner.isWritable }
  var bufferedBytes: Int { inner.bufferedBytes }

  /// Whether the output has ended; later writes are discarded.
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

  /// Resets the connection after this many more bytes.
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

  /// Ends the output with a FIN, without a Close frame. The connection is closed a second later,
  /// even if the peer has not ended its own output.
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
