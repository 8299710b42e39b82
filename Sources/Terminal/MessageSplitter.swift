import Glibc

/// Splits a stream of bytes into messages, however it is divided into chunks.
package struct MessageSplitter: Sendable {
  /// The boundary between messages.
  package enum Boundary: Sendable {
    /// A newline, which is not part of the message, nor is a carriage return directly before it.
    case newline
    /// A NUL byte, which is not part of the message.
    case null
    /// Only the end of the input: all of it is one message.
    case endOfInput
  }

  private let boundary: Boundary
  /// The beginning of a message whose end has not arrived yet.
  private var unfinished: [UInt8] = []

  /// A splitter without any input yet.
  package init(_ boundary: Boundary) { self.boundary = boundary }

  /// Processes the next bytes.
  ///
  /// - Returns: the messages that are now complete, in order. An empty line is an empty message.
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

  /// Processes the next bytes, given as an array.
  package mutating func feed(_ bytes: [UInt8]) -> [[UInt8]] {
    bytes.withUnsafeBytes { feed($0) }
  }

  /// Marks the end of the input.
  ///
  /// - Returns: the last message, if there were bytes after the last boundary.
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
