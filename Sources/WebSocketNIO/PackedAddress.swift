import NIOCore

extension SocketAddress {
  /// The four or sixteen bytes of an IP address.
  var packedBytes: [UInt8]? {
    // Behind family and port, in IPv6 behind the flow label too.
    let place: Range<Int>
    switch `protocol` {
    case .inet: place = 4..<8
    case .inet6: place = 8..<24
    default: return nil
    }
    return withSockAddr { address, length in
      let bytes = UnsafeRawBufferPointer(start: address, count: length)
      return bytes.count >= place.upperBound ? Array(bytes[place]) : nil
    }
  }
}
