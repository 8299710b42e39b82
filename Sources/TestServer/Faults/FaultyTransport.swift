import NIOCore
import WebSocketNIO

/// A transport around the transport of a connection, for faults of the transport.
final class FaultyTransport: ConnectionTransport {
  private let inner: any ConnectionTransport
  /// Called when something has been written.
  var written: () -> Void = {}

  init(_ inner: any ConnectionTransport) {
    self.inner = inner
  }

  var eventLoop: any EventLoop { inner.eventLoop }
  var remoteAddress: SocketAddress? { inner.remoteAddress }
  var isWritable: Bool { inner.isWritable }
  var bufferedBytes: Int { inner.bufferedBytes }

  func write(_ output: inout ByteBuffer) {
    inner.write(&output)
    written()
  }

  func setReading(_ reads: Bool) { inner.setReading(reads) }
  func closeOutput() { inner.closeOutput() }
  func close() { inner.close() }
  func reset() { inner.reset() }
}
