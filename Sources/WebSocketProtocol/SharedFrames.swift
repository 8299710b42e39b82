package import struct NIOCore.ByteBuffer

/// Messages of a server, encoded once for many connections: a frame each, without a masking key
/// (RFC 6455 section 5.1) and without compression.
package struct SharedFrames: Sendable {
  /// The frames, one after the other.
  package private(set) var bytes = ByteBuffer()
  package private(set) var totals = Totals()

  /// Messages, their payload and their frames in bytes.
  package struct Totals: Sendable, Hashable {
    package var messages: UInt64 = 0
    package var payload: UInt64 = 0
    package var wire: UInt64 = 0
  }

  /// The position of one message.
  package struct Part: Sendable, Hashable {
    /// Bytes before its frame.
    fileprivate var start: Int
    fileprivate var end: Int
    fileprivate var payload: Int
  }

  package init() {}

  package var isEmpty: Bool { totals.messages == 0 }

  /// Adds a message. The caller guarantees that the payload of a `.text` is valid UTF-8.
  ///
  /// - Returns: Its position, to leave it out for one connection.
  @discardableResult
  package mutating func append(_ kind: MessageKind, _ payload: UnsafeRawBufferPointer) -> Part {
    let start = bytes.writerIndex
    let header = FrameHeader(opcode: kind.opcode, payloadLength: payload.count.asUInt64)
    let length = bytes.writeFrame(header, payload)
    totals.messages &+= 1
    totals.payload &+= payload.count.asUInt64
    totals.wire &+= length.asUInt64
    return Part(start: start, end: start &+ length, payload: payload.count)
  }

  /// Removes all messages and keeps the storage, unless a connection still uses it or it has grown
  /// beyond `capacity` bytes.
  ///
  /// - Parameter capacity: In bytes.
  package mutating func removeAll(keepingUpTo capacity: Int) {
    totals = Totals()
    if bytes.capacity > capacity { bytes = ByteBuffer() } else { bytes.clear() }
  }

  /// Calls `body` for each message except those at `parts`, which are in order.
  ///
  /// - Parameters:
  ///   - parts: The positions that are left out.
  ///   - body: Takes a kind, a payload, which is valid until it returns, and the index of the message,
  ///     from 0.
  package func forEachMessage(
    except parts: [Part], _ body: (MessageKind, UnsafeRawBufferPointer, Int) -> Void
  ) {
    bytes.withUnsafeReadableBytes { all in
      var offset = 0
      var index = 0
      var left = parts[...]
      while case .header(let header, let length) = FrameHeader.read(
        UnsafeRawBufferPointer(rebasing: all[offset...]))
      {
        let start = offset &+ length
        let end = start &+ header.payloadLength.asInt
        if left.first?.start == offset {
          left.removeFirst()
        } else {
          body(
            header.opcode == .text ? .text : .binary,
            UnsafeRawBufferPointer(rebasing: all[start..<end]), index)
        }
        offset = end
        index &+= 1
      }
    }
  }

  /// What remains without the messages at `parts`.
  func totals(except parts: [Part]) -> Totals {
    parts.reduce(into: totals) { totals, part in
      totals.messages &-= 1
      totals.payload &-= part.payload.asUInt64
      totals.wire &-= (part.end &- part.start).asUInt64
    }
  }

  /// Appends the frames except those at `parts`, which are in order.
  func write(to output: inout ByteBuffer, except parts: [Part]) {
    bytes.withUnsafeReadableBytes { all in
      output.reserveCapacity(minimumWritableBytes: all.count)
      var start = 0
      for part in parts {
        output.writeBytes(UnsafeRawBufferPointer(rebasing: all[start..<part.start]))
        start = part.end
      }
      output.writeBytes(UnsafeRawBufferPointer(rebasing: all[start...]))
    }
  }
}

extension ByteBuffer {
  /// Appends one frame, masked if the header has a key.
  ///
  /// - Returns: Its length in bytes.
  @inline(__always)
  mutating func writeFrame(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) -> Int {
    let most = FrameHeader.maximumLength &+ payload.count
    if writableBytes < most { reserveCapacity(minimumWritableBytes: most) }
    let start = writerIndex
    // Not `writeWithUnsafeMutableBytes`: its slices and checks cost a third of a short frame.
    let length = withVeryUnsafeMutableBytes { storage in
      let space = UnsafeMutableRawBufferPointer(rebasing: storage[start...])
      let length = header.write(to: space)
      guard let source = payload.baseAddress, let base = space.baseAddress else { return length }
      let destination = base.advanced(by: length)
      if let key = header.maskingKey {
        Masking.apply(key, from: source, to: destination, count: payload.count)
      } else {
        destination.copyMemory(from: source, byteCount: payload.count)
      }
      return length &+ payload.count
    }
    moveWriterIndex(forwardBy: length)
    return length
  }
}
