/// The limits of a machine, enforced when a frame header arrives, before any memory is allocated
/// for its payload.
package struct Limits: Hashable, Sendable {
  /// The maximum size of a message in bytes, all fragments together: 1 byte to 1 GiB.
  package var messageSize: Int { didSet { updateWholeSize() } }
  /// The maximum size of the payload of a frame of a message in bytes.
  package var fragmentSize = Int.max { didSet { updateWholeSize() } }
  /// The maximum size of a message that is one frame: what the short ways through the machine compare.
  private(set) var wholeSize: Int
  /// The maximum number of frames in a message, empty ones included.
  package var fragments: Int

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
    self.messageSize = min(max(messageSize, 1), Self.largestMessageSize)
    self.fragments = fragments
    wholeSize = self.messageSize
  }

  private mutating func updateWholeSize() { wholeSize = min(messageSize, fragmentSize) }
}
