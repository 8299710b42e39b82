package import NIOCore

/// Transports the bytes of one connection after its handshake: an NIO channel, or a socket of an
/// `EpollLoop`. It passes received bytes to its `ConnectionHandler`. Used only on its event loop.
package protocol ConnectionTransport: AnyObject {
  var eventLoop: any EventLoop { get }
  var remoteAddress: SocketAddress? { get }
  /// False while the output that the kernel has not accepted is above the high-water mark.
  var isWritable: Bool { get }
  /// Bytes that the kernel has not accepted yet.
  var bufferedBytes: Int { get }
  /// Sends all of `output`, now or as soon as the kernel accepts it. The storage left in `output`
  /// may be reused. May call `ConnectionHandler.writabilityChanged`.
  func write(_ output: inout ByteBuffer)
  func setReading(_ reads: Bool)
  /// Ends our direction once everything is sent.
  func closeOutput()
  /// Ends the connection at once. `ConnectionHandler.ended` is called later, never from here.
  func close()
  /// Like `close()`, but with a TCP reset; of an HTTP/2 connection, resets only this stream.
  func reset()
  /// What the connection has put on the wire; nil if its transport is not a TCP socket.
  var traffic: SocketTraffic? { get }
}

extension ConnectionTransport {
  package var traffic: SocketTraffic? { nil }
}
