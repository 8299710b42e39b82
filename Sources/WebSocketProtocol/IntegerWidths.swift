/// Conversions between integers, all in this file: a number of a peer that does not fit must never trap,
/// so the protocol and its transports convert in no other way. What does not fit is cut off, as `Int`
/// and `UInt64` never need to: they hold what is counted, and every narrower type.
extension FixedWidthInteger {
  /// Of a narrower type, or of a count that is below 2^63.
  @inlinable @inline(__always)
  package var signed: Int { Int(truncatingIfNeeded: self) }

  /// Of a narrower type, or of a count, which is never negative.
  @inlinable @inline(__always)
  package var unsigned64: UInt64 { UInt64(truncatingIfNeeded: self) }

  @inlinable @inline(__always)
  package var signed64: Int64 { Int64(truncatingIfNeeded: self) }

  @inlinable @inline(__always)
  package var unsigned: UInt { UInt(truncatingIfNeeded: self) }

  /// The constants and lengths of system calls.
  @inlinable @inline(__always)
  package var signed32: Int32 { Int32(truncatingIfNeeded: self) }

  /// The lowest 32 bits.
  @inlinable @inline(__always)
  package var low32: UInt32 { UInt32(truncatingIfNeeded: self) }

  /// The lowest 16 bits.
  @inlinable @inline(__always)
  package var low16: UInt16 { UInt16(truncatingIfNeeded: self) }

  /// The lowest 8 bits.
  @inlinable @inline(__always)
  package var low8: UInt8 { UInt8(truncatingIfNeeded: self) }
}
