/// Conversions between integers, all in this file. A number from a peer that does not fit must
/// never trap, so the protocol and its transports use no other conversions. Values that do not fit
/// are truncated; `Int` and `UInt64` never truncate in practice, since they hold counts and all
/// narrower types.
extension FixedWidthInteger {
  /// For a narrower type, or a count below 2^63.
  @inlinable @inline(__always)
  package var asInt: Int { Int(truncatingIfNeeded: self) }

  /// For a narrower type, or a count, which is never negative.
  @inlinable @inline(__always)
  package var asUInt64: UInt64 { UInt64(truncatingIfNeeded: self) }

  @inlinable @inline(__always)
  package var asInt64: Int64 { Int64(truncatingIfNeeded: self) }

  @inlinable @inline(__always)
  package var asUInt: UInt { UInt(truncatingIfNeeded: self) }

  /// For constants and lengths in system calls.
  @inlinable @inline(__always)
  package var asInt32: Int32 { Int32(truncatingIfNeeded: self) }

  /// The lowest 32 bits.
  @inlinable @inline(__always)
  package var truncatedToUInt32: UInt32 { UInt32(truncatingIfNeeded: self) }

  /// The lowest 16 bits.
  @inlinable @inline(__always)
  package var truncatedToUInt16: UInt16 { UInt16(truncatingIfNeeded: self) }

  /// The lowest 8 bits.
  @inlinable @inline(__always)
  package var truncatedToUInt8: UInt8 { UInt8(truncatingIfNeeded: self) }
}
