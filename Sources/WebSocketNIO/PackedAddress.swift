import NIOCore

extension SocketAddress {
  /// The 4 or 16 bytes of an IP address.
  var packedBytes: [UInt8]? {
    // After family and port, for IPv6 also after the flow label.
    let range: Range<Int>
    switch `protocol` {
    case .inet: range = 4..<8
    case .inet6: range = 8..<24
    default: return nil
    }
    return withSockAddr { address, length in
      let bytes = UnsafeRawBufferPointer(start: address, count: length)
      return bytes.count >= range.upperBound ? Array(bytes[range]) : nil
    }
  }
}
