import Glibc

/// Cuts a stream of bytes into messages, wherever its chunks happen to end.
package struct MessageSplitter: Sendable {
  /// Where a message ends.
  package enum Boundary: Sendable {
    /// At a newline, which is not part of it, nor is a carriage return just before.
    case newline
    /// At a NUL byte, which is not part of it.
    case null
    /// At the end of the input only: all of it is one message.
    case endOfInput
  }

  private let boundary: Boundary
  /// The beginning of a message whose end has not come yet.
  private var unfinished: [UInt8] = []

  /// A splitter that has seen nothing yet.
  package init(_ boundary: Boundary) { self.boundary = boundary }

  /// Takes the next bytes.
  ///
  /// - Returns: the messages that they complete, in order. An empty line is an empty message.
  package mutating func feed(_ bytes: UnsafeRawBufferPointer) -> [[UInt8]] {
    let end: UInt8
    switch boundary {
    case .newline: end = 0x0A
    case .null: end = 0x00
    case .endOfInput:
      unfinished.append(contentsOf: bytes)
      return []
    }
    var messages: [[UInt8]] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let window = UnsafeRawBufferPointer(rebasing: rest)
      guard let start = window.baseAddress,
        let found = memchr(start, Int32(end), window.count)
      else { break }
      let length = start.distance(to: UnsafeRawPointer(found))
      messages.append(message(endingWith: rest.prefix(length)))
      rest = rest.dropFirst(length + 1)
    }
    unfinished.append(contentsOf: rest)
    return messages
  }

  /// Takes the next bytes; the same with an array.
  package mutating func feed(_ bytes: [UInt8]) -> [[UInt8]] {
    bytes.withUnsafeBytes { feed($0) }
  }

  /// Tells that no more bytes come.
  ///
  /// - Returns: the last message, if bytes came after the last boundary.
  package mutating func finish() -> [UInt8]? {
    guard !unfinished.isEmpty else { return nil }
    var message: [UInt8] = []
    swap(&message, &unfinished)
    return message
  }

  private mutating func message(endingWith tail: Slice<UnsafeRawBufferPointer>) -> [UInt8] {
    var message: [UInt8] = []
    if unfinished.isEmpty {
      message = Array(tail)
    } else {
      swap(&message, &unfinished)
      message.append(contentsOf: tail)
    }
    if boundary == .newline && message.last == 0x0D { message.removeLast() }
    return message
  }
}
