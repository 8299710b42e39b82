/// The bytes of one read, which the machine takes piece by piece.
///
/// The machine unmasks in place, so the creator of a window guarantees that nothing else reads
/// these bytes and that they do not move until the window is used up.
package struct ByteWindow {
  private var next: UnsafeMutableRawPointer?
  /// Bytes not yet taken.
  package private(set) var count: Int

  package init(_ bytes: UnsafeMutableRawBufferPointer) {
    next = bytes.baseAddress
    count = bytes.count
  }

  package var isEmpty: Bool { count == 0 }

  /// The bytes not yet taken.
  @inline(__always)
  package var remaining: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: next, count: count)
  }

  /// Whether the next frame is a Close that is here whole. Valid between two frames only.
  @inline(__always)
  package var beginsWithClose: Bool {
    guard let first = remaining.first, Opcode(rawValue: first) == .close,
      case .header(let header, let length) = FrameHeader.read(remaining)
    else { return false }
    return header.payloadLength <= (count &- length).asUInt64
  }

  /// Takes at most `wanted` bytes from the front.
  @inline(__always)
  package mutating func take(_ wanted: Int) -> UnsafeMutableRawBufferPointer {
    let taken = min(wanted, count)
    let bytes = UnsafeMutableRawBufferPointer(start: next, count: taken)
    next = next?.advanced(by: taken)
    count &-= taken
    return bytes
  }
}
