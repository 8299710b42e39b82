import Conversation
import Glibc
import WebSocketProtocol

/// The payloads of one event loop: one buffer into which the ID of each message is written, so
/// sending allocates nothing.
///
/// If messages are compressed, each has different content after its ID: a repeated payload would
/// compress to almost nothing, unlike real messages.
///
/// It is a struct of plain pointers, because a class would need reference counting for each
/// message. The code that creates it must call `deallocate()`.
struct MessagePayload {
  /// Whether each message starts with its ID.
  let carriesID: Bool
  private let bytes: UnsafeMutableRawBufferPointer
  /// The source of the varying content after the ID; nil if the content does not vary.
  private let pool: UnsafeMutableRawBufferPointer?

  /// Size of the pool in bytes beyond one payload; more than the 32 KiB window of deflate.
  private static let poolSize = 1 << 18

  /// - Parameters:
  ///   - plan: The plan with size, type and seed of the payload.
  ///   - varies: Whether each message has different content.
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

  /// Frees the memory. No other method may be called afterwards.
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

  /// The payload of one message, valid until the next call of any method.
  @inline(__always)
  func message(connection: Int, sequence: UInt64) -> UnsafeRawBufferPointer {
    if carriesID {
      MessageID(connection: connection, sequence: sequence).write(to: bytes)
      if pool != nil { vary(connection: connection, sequence: sequence) }
    }
    return UnsafeRawBufferPointer(bytes)
  }

  /// Whether a reply has the bytes of this message.
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

  /// Whether a reply that carries the ID of this message also has its other bytes.
  @inline(__always)
  func hasContent(_ reply: UnsafeRawBufferPointer, connection: Int, sequence: UInt64) -> Bool {
    let head = MessageID.length
    guard reply.count == bytes.count, let own = bytes.baseAddress, let theirs = reply.baseAddress
    else { return false }
    if pool != nil { vary(connection: connection, sequence: sequence) }
    return memcmp(own + head, theirs + head, reply.count &- head) == 0
  }

  /// Copies the content of this message into the buffer after the ID.
  private func vary(connection: Int, sequence: UInt64) {
    guard let pool, let start = pool.baseAddress, let own = bytes.baseAddress else { return }
    let head = MessageID.length
    let mixed = (sequence &+ UInt64(truncatingIfNeeded: connection) &* 0x9E37_79B9) &* 8191
    let offset = Int(truncatingIfNeeded: mixed & UInt64(Self.poolSize - 1))
    memcpy(own + head, start + offset, bytes.count &- head)
  }

  /// Describes how a reply differs from the message, for the list of errors.
  func difference(
    from reply: UnsafeRawBufferPointer, _ kind: MessageKind, sent: MessageKind
  ) -> String {
    if reply.count != bytes.count { return "\(reply.count) bytes instead of \(bytes.count)" }
    if kind != sent { return "\(kind) instead of \(sent)" }
    return "other bytes than were sent"
  }
}
