import Conversation
import Glibc
import WebSocketProtocol

/// The payloads of one event loop: one buffer into which the id is written before each sending, so that a
/// message costs no allocation.
///
/// Where messages are compressed, each has other content after its id: a payload that repeats would
/// compress to next to nothing, which no real message does.
///
/// It is a value of plain pointers: a reference would be counted for each message. Its maker frees it.
struct MessagePayload {
  /// Whether each message has its id in its first bytes.
  let carriesID: Bool
  private let bytes: UnsafeMutableRawBufferPointer
  /// Where the content after the id is cut from; nil when it is always the same.
  private let pool: UnsafeMutableRawBufferPointer?

  /// Bytes of the pool beyond one payload. It is more than the window of deflate, which has 32 KiB.
  private static let poolSize = 1 << 18

  /// - Parameters:
  ///   - plan: Size, type and seed of the payload.
  ///   - varies: Whether each message has other content.
  init(_ plan: LoadPlan, varies: Bool = false) {
    let size = plan.payloadSize
    bytes = .allocate(byteCount: size, alignment: 16)
    switch plan.content {
    case .fixed(let content):
      carriesID = false
      pool = nil
      bytes.copyBytes(from: content)
    case .generated:
      carriesID = size >= MessageID.length
      Self.fill(bytes, plan)
      pool =
        varies && carriesID ? .allocate(byteCount: size + Self.poolSize, alignment: 16) : nil
      if let pool { Self.fill(pool, plan) }
    }
  }

  /// Frees the memory; nothing else may be called after this.
  func deallocate() {
    bytes.deallocate()
    pool?.deallocate()
  }

  private static func fill(_ bytes: UnsafeMutableRawBufferPointer, _ plan: LoadPlan) {
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

  var count: Int { bytes.count }

  /// The payload of one message; valid until the next call.
  @inline(__always)
  func message(connection: Int, sequence: UInt64) -> UnsafeRawBufferPointer {
    if carriesID {
      MessageID(connection: connection, sequence: sequence).write(to: bytes)
      if pool != nil { vary(connection: connection, sequence: sequence) }
    }
    return UnsafeRawBufferPointer(bytes)
  }

  /// Whether these are the bytes of that message.
  @inline(__always)
  func equals(_ reply: UnsafeRawBufferPointer, connection: Int, sequence: UInt64) -> Bool {
    if carriesID {
      return MessageID(reply) == MessageID(connection: connection, sequence: sequence)
        && hasContent(reply, connection: connection, sequence: sequence)
    }
    guard reply.count == bytes.count else { return false }
    guard let own = bytes.baseAddress, let theirs = reply.baseAddress else { return true }
    return memcmp(own, theirs, reply.count) == 0
  }

  /// Whether a reply that has the id of that message has its other bytes too.
  @inline(__always)
  func hasContent(_ reply: UnsafeRawBufferPointer, connection: Int, sequence: UInt64) -> Bool {
    let head = MessageID.length
    guard reply.count == bytes.count, let own = bytes.baseAddress, let theirs = reply.baseAddress
    else { return false }
    if pool != nil { vary(connection: connection, sequence: sequence) }
    return memcmp(own + head, theirs + head, reply.count &- head) == 0
  }

  /// Puts the content of that message after the id.
  private func vary(connection: Int, sequence: UInt64) {
    guard let pool, let start = pool.baseAddress, let own = bytes.baseAddress else { return }
    let head = MessageID.length
    let mixed = (sequence &+ UInt64(truncatingIfNeeded: connection) &* 0x9E37_79B9) &* 8191
    let offset = Int(truncatingIfNeeded: mixed & UInt64(Self.poolSize - 1))
    memcpy(own + head, start + offset, bytes.count &- head)
  }

  /// What is wrong with a reply, for the list of errors.
  func difference(
    from reply: UnsafeRawBufferPointer, _ kind: MessageKind, sent: MessageKind
  ) -> String {
    if reply.count != bytes.count { return "\(reply.count) bytes instead of \(bytes.count)" }
    if kind != sent { return "\(kind) instead of \(sent)" }
    return "other bytes than were sent"
  }
}
