/// The sixteen bytes that tell one message from all others of a run (`--match seq`).
///
/// Lower-case hexadecimal, six digits for the connection and ten for its message, so that a text
/// payload stays valid UTF-8 and a person can read it in a trace.
package struct MessageID: Equatable, Sendable {
  /// Bytes that an id takes at the start of the payload; shorter payloads are matched in order.
  package static let length = 16

  /// Number of the connection in the run, modulo 2^24.
  package let connection: UInt64
  /// Number of the message on its connection, modulo 2^40.
  package let sequence: UInt64

  /// An id from its parts; what does not fit is cut off.
  ///
  /// - Parameters:
  ///   - connection: Number of the connection in the run.
  ///   - sequence: As `InFlight.push` has given it.
  package init(connection: Int, sequence: UInt64) {
    self.connection = UInt64(truncatingIfNeeded: connection) & 0xFF_FFFF
    self.sequence = sequence & 0xFF_FFFF_FFFF
  }

  /// Reads the id at the start of a payload; nil when it is too short or no id of ours.
  ///
  /// - Parameter bytes: The payload, or at least its first sixteen bytes.
  package init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= Self.length else { return nil }
    var number: UInt64 = 0
    for place in 0..<Self.length {
      let byte = bytes[place]
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte &- UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte &- UInt8(ascii: "a") &+ 10
      default: return nil
      }
      number = number << 4 | UInt64(digit)
    }
    connection = number >> 40
    sequence = number & 0xFF_FFFF_FFFF
  }

  /// Writes the id at the start of a payload.
  ///
  /// - Parameter bytes: Where the payload begins; untouched when shorter than sixteen bytes.
  package func write(to bytes: UnsafeMutableRawBufferPointer) {
    guard bytes.count >= Self.length else { return }
    var number = connection << 40 | sequence
    var place = Self.length
    while place > 0 {
      place &-= 1
      let digit = UInt8(truncatingIfNeeded: number & 0xF)
      bytes[place] = digit < 10 ? digit &+ UInt8(ascii: "0") : digit &+ (UInt8(ascii: "a") &- 10)
      number >>= 4
    }
  }
}
