/// Masking and unmasking (RFC 6455 section 5.3), which are the same operation: XOR with the key,
/// octet i with key octet i mod 4. Done in words, since this touches every byte of a payload.
package enum Masking {
  /// The key for the bytes after the first `count`: key octet `count` mod 4 comes first.
  @inline(__always)
  package static func rotated(_ key: UInt32, by count: Int) -> UInt32 {
    // Keys are in memory order, so on a little-endian machine the first octet is the lowest.
    let bits = ((count & 3) &* 8).truncatedToUInt32
    let value = UInt32(littleEndian: key)
    // `&<<` by 32 shifts by 0, so a rotation by 0 leaves the key unchanged.
    return UInt32(littleEndian: value &>> bits | value &<< (32 &- bits))
  }

  /// Masks `count` bytes from `source` into `destination`. The two may be the same address.
  @inline(__always)
  package static func apply(
    _ key: UInt32, from source: UnsafeRawPointer, to destination: UnsafeMutableRawPointer,
    count: Int
  ) {
    let word = key.asUInt64 | key.asUInt64 << 32
    let wide = SIMD4<UInt64>(repeating: word)
    var offset = 0
    while count &- offset >= 32 {
      let block = source.loadUnaligned(fromByteOffset: offset, as: SIMD4<UInt64>.self)
      destination.storeBytes(of: block ^ wide, toByteOffset: offset, as: SIMD4<UInt64>.self)
      offset &+= 32
    }
    while count &- offset >= 8 {
      let block = source.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      destination.storeBytes(of: block ^ word, toByteOffset: offset, as: UInt64.self)
      offset &+= 8
    }
    if count &- offset >= 4 {
      let block = source.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
      destination.storeBytes(of: block ^ key, toByteOffset: offset, as: UInt32.self)
      offset &+= 4
    }
    var octets = UInt32(littleEndian: key)
    while offset < count {
      let byte = source.load(fromByteOffset: offset, as: UInt8.self)
      destination.storeBytes(
        of: byte ^ octets.truncatedToUInt8, toByteOffset: offset, as: UInt8.self)
      octets = octets &>> 8
      offset &+= 1
    }
  }
}

/// The source of masking keys for one event loop.
///
/// "The masking key needs to be unpredictable; thus, the masking key MUST be derived from a strong
/// source of entropy" (RFC 6455 section 5.3). A system call for each key costs more than the rest
/// of a frame, so keys are taken from a block that the system's generator fills 4 KiB at a time.
package final class MaskingKeys {
  private let block: UnsafeMutableBufferPointer<UInt32>
  private var next: Int
  private let fill: (UnsafeMutableRawBufferPointer) -> Void

  /// - Parameter fill: overwrites the whole buffer with unpredictable bytes.
  package init(fill: @escaping (UnsafeMutableRawBufferPointer) -> Void) {
    block = .allocate(capacity: 1024)
    block.initialize(repeating: 0)
    next = block.count
    self.fill = fill
  }

  deinit {
    block.deallocate()
  }

  /// A fresh key; no key is returned twice.
  @inline(__always)
  package func take() -> UInt32 {
    if next == block.count { refill() }
    let key = block[next]
    next &+= 1
    return key
  }

  @inline(never)
  private func refill() {
    fill(UnsafeMutableRawBufferPointer(block))
    next = 0
  }
}
