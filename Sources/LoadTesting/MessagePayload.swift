/// The payload of every message of one event loop: one piece of memory into which the id is written
/// before each sending, so that a message costs no allocation.
final class MessagePayload {
  private let bytes: UnsafeMutableRawBufferPointer
  private let carriesID: Bool

  init(_ plan: LoadPlan) {
    carriesID = plan.matching == .sequence
    bytes = .allocate(byteCount: plan.payloadSize, alignment: 16)
    switch plan.content {
    case .fixed(let content):
      bytes.copyBytes(from: content)
    case .generated:
      var random = SeededGenerator(seed: plan.seed, stream: .max)
      for index in bytes.indices {
        let number = random.next()
        bytes[index] =
          switch plan.kind {
          case .text: UInt8(truncatingIfNeeded: 0x61 &+ number % 26)
          case .binary: UInt8(truncatingIfNeeded: number)
          }
      }
    }
  }

  deinit { bytes.deallocate() }

  var count: Int { bytes.count }

  /// The payload of one message; valid until the next call.
  @inline(__always)
  func message(connection: Int, sequence: UInt64) -> UnsafeRawBufferPointer {
    if carriesID { MessageID(connection: connection, sequence: sequence).write(to: bytes) }
    return UnsafeRawBufferPointer(bytes)
  }
}
