import NIOCore

extension SocketAddress {
  /// The 4 or 16 bytes of an IP address.
  var packedBytes: [UInt8]? {
    // After family and port, for IPv6 also after the flow label.
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
