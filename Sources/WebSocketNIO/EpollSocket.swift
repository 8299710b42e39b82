import CEpoll
import Glibc
import NIOCore
import WebSocketProtocol

/// A connected stream socket of an `EpollLoop`: one `recv` into the loop's buffer for incoming
/// data, one `send` for outgoing data, and a buffer of its own only for data that the kernel does
/// not accept.
final class EpollSocket: ConnectionTransport {
  private let descriptor: Int32
  private let loop: EpollLoop
  private let handler: ConnectionHandler
  /// Data that the kernel has not accepted yet, in pieces: a single growing buffer would be copied
  /// each time it grows, and leave its smaller predecessors on the heap.
  private var unsent: [ByteBuffer] = []
  private(set) var bufferedBytes = 0
  private var knownAddress: SocketAddress?
  /// The events requested from epoll; initially the one that the loop requests when it takes over
  /// the socket.
  private var watched = EPOLLIN.rawValue
  private var reads = true
  private(set) var isWritable = true
  private var endsOutput = false
  private var isClosed = false

  /// Water marks in bytes, as in NIO: the socket is not writable above the first one, and writable
  /// again below the second one.
  private static let highWater = 64 * 1024
  private static let lowWater = 32 * 1024
  private static let pieceSize = 64 * 1024

  init(_ descriptor: Int32, on loop: EpollLoop, handler: ConnectionHandler) {
    self.descriptor = descriptor
    self.loop = loop
    self.handler = handler
  }

  /// The first call. `reply` is written first, and nothing else happens on the loop between that
  /// and the consumer's `opened`, so a client that has received its 101 misses nothing. `early` is
  /// data read earlier; `address` is the peer's, which the kernel does not return once the
  /// connection is gone.
  func start(with reply: ByteBuffer, early: ByteBuffer, from address: SocketAddress?) {
    knownAddress = address
    if reply.readableBytes > 0 { writeFirst(reply) }
    handler.start(self)
    // An idle connection does not store its address, because the kernel can return it.
    knownAddress = nil
    if !isClosed { receive(early) }
  }

  /// Writes the reply without `write`: with a second caller, `write` would no longer be inlined
  /// into the loop, at the cost of two more reference count updates per message.
  private func writeFirst(_ reply: ByteBuffer) {
    unsent = [reply]
    bufferedBytes = reply.readableBytes
    sendUnsent()
    watch()
  }

  private func receive(_ early: ByteBuffer) {
    var early = early
    guard early.readableBytes > 0 else { return }
    early.withUnsafeMutableReadableBytes { handler.receive($0) }
    handler.burstEnded()
  }

  /// Called instead of `start` for a socket that is already gone.
  func startEnded(early: ByteBuffer, errno: Int32) {
    isClosed = true
    handler.start(self)
    receive(early)
    handler.failed(errno: errno)
    handler.ended()
  }

  // MARK: Events

  /// Handles the events that epoll reported for the socket.
  @inline(__always)
  func ready(_ events: UInt32) {
    if events & EPOLLOUT.rawValue != 0 { sendUnsent() }
    // Epoll reports an error or the end of both directions even if not requested; `recv` returns
    // it.
    if events & ~EPOLLOUT.rawValue != 0, !isClosed { receive() }
  }

  @inline(__always)
  private func receive() {
    let space = loop.receiveBuffer
    let count = recv(descriptor, space.baseAddress, space.count, 0)
    guard count > 0 else { return receivedNothing(count) }
    handler.receive(UnsafeMutableRawBufferPointer(start: space.baseAddress, count: count))
    handler.burstEnded()
  }

  @inline(never)
  private func receivedNothing(_ result: Int) {
    if result < 0 {
      if errno == EAGAIN || errno == EINTR { return }
      handler.failed(errno: errno)
    }
    close()
  }

  /// Requests the events that are currently needed from epoll.
  private func watch() {
    guard !isClosed else { return }
    let wanted =
      (reads ? EPOLLIN.rawValue : 0) | (bufferedBytes > 0 ? EPOLLOUT.rawValue : 0)
    guard wanted != watched else { return }
    do throws(IOError) {
      try loop.watch(descriptor, for: wanted, isNew: false)
      watched = wanted
    } catch {
      handler.failed(errno: error.errnoCode)
      close()
    }
  }

  // MARK: ConnectionTransport

  var eventLoop: any EventLoop { loop }
  var remoteAddress: SocketAddress? { knownAddress ?? SocketAddress(peerOf: descriptor) }

  @inline(__always)
  func write(_ output: inout ByteBuffer) {
    if isClosed || endsOutput { return }
    if bufferedBytes == 0 {
      let count = output.readableBytes
      let sent = output.withUnsafeReadableBytes {
        send(descriptor, $0.baseAddress, $0.count, Self.quietly)
      }
      if sent == count { return }
      guard sent >= 0 || errno == EAGAIN || errno == EINTR else { return broken(errno) }
      output.moveReaderIndex(forwardBy: max(0, sent))
    }
    keep(&output)
  }

  private static let quietly = MSG_NOSIGNAL.asInt32

  /// Handles a failed write. What the peer has sent before, perhaps a Close, is still read.
  @inline(never)
  private func broken(_ error: Int32) {
    handler.failed(errno: error)
    endsOutput = true
    loop.assumeIsolated().execute { [self] in
      while !isClosed {
        let space = loop.receiveBuffer
        let count = recv(descriptor, space.baseAddress, space.count, 0)
        guard count > 0 else { return close() }
        handler.receive(UnsafeMutableRawBufferPointer(start: space.baseAddress, count: count))
        handler.burstEnded()
      }
    }
  }

  @inline(never)
  private func keep(_ output: inout ByteBuffer) {
    let count = output.readableBytes
    bufferedBytes += count
    // Copied into pieces that are filled completely: the source buffer has grown by doubling, and
    // 16 MiB of pending output must not occupy 32 MiB of the heap.
    while output.readableBytes > 0 {
      if unsent.last?.writableBytes ?? 0 == 0 {
        // A first small piece is allocated with its exact size, to save memory.
        let capacity = unsent.isEmpty ? min(count, Self.pieceSize) : Self.pieceSize
        unsent.append(ByteBufferAllocator().buffer(capacity: capacity))
      }
      let last = unsent.endIndex - 1
      let part = min(output.readableBytes, unsent[last].writableBytes)
      guard var bytes = output.readSlice(length: part) else { break }
      unsent[last].writeBuffer(&bytes)
    }
    watch()
    if isWritable, bufferedBytes > Self.highWater {
      isWritable = false
      handler.writabilityChanged(false)
    }
  }

  private func sendUnsent() {
    guard !isClosed, bufferedBytes > 0 else { return }
    while let first = unsent.first {
      let sent = first.withUnsafeReadableBytes {
        send(descriptor, $0.baseAddress, $0.count, Self.quietly)
      }
      guard sent >= 0 else {
        if errno != EAGAIN, errno != EINTR { return broken(errno) }
        break
      }
      bufferedBytes -= sent
      guard sent == first.readableBytes else {
        unsent[unsent.startIndex].moveReaderIndex(forwardBy: sent)
        break
      }
      unsent.removeFirst()
    }
    if bufferedBytes == 0 {
      unsent = []
      if endsOutput { shutdown(descriptor, SHUT_WR.asInt32) }
      watch()
    }
    if !isWritable, bufferedBytes < Self.lowWater {
      isWritable = true
      handler.writabilityChanged(true)
    }
  }

  func setReading(_ reads: Bool) {
    self.reads = reads
    watch()
  }

  func closeOutput() {
    guard !endsOutput, !isClosed else { return }
    endsOutput = true
    if bufferedBytes == 0 { shutdown(descriptor, SHUT_WR.asInt32) }
  }

  func reset() {
    guard !isClosed else { return }
    // "the connection is aborted and all pending data is discarded immediately upon close" (tcp(7),
    // socket(7)).
    var discard = linger(l_onoff: 1, l_linger: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_LINGER, &discard, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  func close() {
    guard !isClosed else { return }
    isClosed = true
    unsent = []
    bufferedBytes = 0
    loop.forget(descriptor)
    loop.assumeIsolated().execute { [handler] in handler.ended() }
  }
}

extension SocketAddress {
  /// The address in `storage`; nil if its family is not one of stream sockets.
  init?(_ storage: sockaddr_storage) {
    let address: SocketAddress? = withUnsafeBytes(of: storage) { bytes in
      switch storage.ss_family.asInt32 {
      case AF_INET: SocketAddress(bytes.loadUnaligned(as: sockaddr_in.self))
      case AF_INET6: SocketAddress(bytes.loadUnaligned(as: sockaddr_in6.self))
      case AF_UNIX: SocketAddress(bytes.loadUnaligned(as: sockaddr_un.self))
      default: nil
      }
    }
    guard let address else { return nil }
    self = address
  }

  /// The address of the peer of a connected socket; nil if it has none.
  fileprivate init?(peerOf descriptor: Int32) {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getpeername(descriptor, $0, &length)
      }
    }
    guard result == 0 else { return nil }
    self.init(storage)
  }
}
