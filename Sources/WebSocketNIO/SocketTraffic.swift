import Glibc
import WebSocketProtocol

/// What a TCP connection has put on the wire in both directions, as the kernel counts it: acknowledgements,
/// retransmissions and, with TLS, records are part of it.
package struct SocketTraffic: Sendable, Hashable {
  /// Payload of TCP in bytes, both directions together.
  package var payload: Int
  /// TCP segments, both directions together.
  package var segments: Int
  /// The IP and TCP headers of one segment with the options in use, in bytes.
  package var headerSize: Int

  package init(payload: Int, segments: Int, headerSize: Int) {
    self.payload = payload
    self.segments = segments
    self.headerSize = headerSize
  }

  /// Additional options of the two segments that open a connection, in bytes: maximum segment size, window
  /// scale and permission for selective acknowledgements.
  package static let openingOptions = 16

  /// IP packets in bytes.
  package var wireBytes: Int { payload + segments * headerSize + Self.openingOptions }

  /// The counters of a connected socket.
  ///
  /// - Parameter descriptor: A TCP socket; its peer may have ended the connection already.
  /// - Returns: nil if it is not a TCP socket, or on Linux before 4.19, which does not count all of them.
  package static func read(_ descriptor: Int32) -> SocketTraffic? {
    // `struct tcp_info` of linux/tcp.h; that of the C library ends before these members.
    var info = [UInt8](repeating: 0, count: 256)
    var length = socklen_t(info.count)
    guard getsockopt(descriptor, IPPROTO_TCP.asInt32, TCP_INFO, &info, &length) == 0, length >= 208
    else { return nil }
    return info.withUnsafeBytes { info in
      let sent = info.loadUnaligned(fromByteOffset: 200, as: UInt64.self)
      let received = info.loadUnaligned(fromByteOffset: 128, as: UInt64.self)
      let segments = [136, 140].map { info.loadUnaligned(fromByteOffset: $0, as: UInt32.self) }
      let hasTimestamps = info[5] & 1 != 0
      return SocketTraffic(
        payload: Int(clamping: sent + received),
        segments: segments.reduce(0) { $0 + Int(clamping: $1) },
        headerSize: (isIPv6(descriptor) ? 40 : 20) + 20 + (hasTimestamps ? 12 : 0))
    }
  }

  private static func isIPv6(_ descriptor: Int32) -> Bool {
    var domain = AF_UNSPEC
    var length = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0
      && domain == AF_INET6
  }
}
