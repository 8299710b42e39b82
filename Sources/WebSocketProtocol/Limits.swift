/// The limits of a machine, enforced when a frame header arrives, before any memory is allocated
/// for its payload.
package struct Limits: Hashable, Sendable {
  // In 32 bits, because every connection has them.
  private var messageBytes: UInt32
  private var fragmentBytes = UInt32.max
  private var wholeBytes: UInt32
  private var frames: UInt32

  /// The maximum size of a message in bytes, all fragments together: 1 byte to 1 GiB.
  package var messageSize: Int {
    get { messageBytes.asInt }
    set {
      messageBytes = Self.clamped(newValue)
      wholeBytes = min(messageBytes, fragmentBytes)
    }
  }
  /// The maximum size of the payload of a frame of a message in bytes; nil without a limit of its own.
  package var fragmentSize: Int? {
    get { fragmentBytes == .max ? nil : fragmentBytes.asInt }
    set {
      fragmentBytes = newValue.map { Self.clamped($0, from: 0) } ?? .max
      wholeBytes = min(messageBytes, fragmentBytes)
    }
  }
  /// The maximum size of a message that is one frame: what the short ways through the machine compare.
  @inline(__always)
  var wholeSize: Int { wholeBytes.asInt }
  /// The maximum number of frames in a message, empty ones included.
  package var fragments: Int { frames.asInt }

  /// Must be at least 65 536: the conformance suite sends 4 MiB in frames of 64 bytes.
  package static let defaultFragments = 131_072
  /// The upper bound of `messageSize`: buffers have 32-bit indices.
  package static let largestMessageSize = 1 << 30
  package static let clientMessageSize = 64 << 20
  package static let serverMessageSize = 16 << 20

  /// - Parameters:
  ///   - messageSize: in bytes; clamped to 1 byte ... 1 GiB.
  ///   - fragments: the maximum number of frames in a message.
  package init(messageSize: Int, fragments: Int = Limits.defaultFragments) {
    messageBytes = Self.clamped(messageSize)
    wholeBytes = messageBytes
    frames = min(max(fragments, 0), UInt32.max.asInt).truncatedToUInt32
  }

  private static func clamped(_ size: Int, from least: Int = 1) -> UInt32 {
    min(max(size, least), largestMessageSize).truncatedToUInt32
  }
}
