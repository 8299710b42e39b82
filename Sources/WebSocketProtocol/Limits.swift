/// What a machine refuses to take, enforced when a frame header arrives, before any memory is
/// spent on its payload.
package struct Limits: Hashable, Sendable {
  /// Bytes of one message, all its fragments together. 1 byte to 1 GiB.
  package var messageSize: Int
  /// Frames of one message, empty ones counted.
  package var fragments: Int

  /// Must allow 65 536: the conformance suite sends 4 MiB in frames of 64 bytes.
  package static let defaultFragments = 131_072
  /// The hard limit of `messageSize`: buffers are indexed by 32 bits.
  package static let largestMessageSize = 1 << 30
  package static let clientMessageSize = 64 << 20
  package static let serverMessageSize = 16 << 20

  /// - Parameters:
  ///   - messageSize: bytes; clamped to 1 byte ... 1 GiB.
  ///   - fragments: frames a message may have.
  package init(messageSize: Int, fragments: Int = Limits.defaultFragments) {
    self.messageSize = min(max(messageSize, 1), Self.largestMessageSize)
    self.fragments = fragments
  }
}
