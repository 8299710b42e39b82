/// What one read brought, handed to the machine to be taken piece by piece.
///
/// The machine unmasks in place, so whoever makes a window promises that nobody else reads these
/// bytes and that they stay where they are until the window is used up.
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
