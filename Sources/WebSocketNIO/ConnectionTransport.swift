package import NIOCore

/// What carries the bytes of one connection after its handshake: a channel of NIO, or a socket of an
/// `EpollLoop`. It calls its `ConnectionHandler` with what arrives. Used on its event loop only.
package protocol ConnectionTransport: AnyObject {
  var eventLoop: any EventLoop { get }
  var remoteAddress: SocketAddress? { get }
  /// False while more waits to be taken by the kernel than is good.
  var isWritable: Bool { get }
  /// Bytes that wait to be taken by the kernel.
  var bufferedBytes: Int { get }
  /// Sends all of `output`, now or as soon as the kernel takes it. What is left in `output` is
  /// storage to be used again. May call `ConnectionHandler.writabilityChanged`.
  func write(_ output: inout ByteBuffer)
  func setReading(_ reads: Bool)
  /// Ends our half once all is sent.
  func closeOutput()
  /// Ends the connection at once; `ConnectionHandler.ended` is called later, never from here.
  func close()
  /// `close()` by a TCP reset; a stream of HTTP/2 is reset by itself.
  func reset()
}
