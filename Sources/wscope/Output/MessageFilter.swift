import Conversation
import NIOCore

/// A filter of shown messages: a regular expression.
struct MessageFilter: Sendable {
  private let pattern: Pattern
  /// The text itself if it is ASCII without special characters: it is then searched for
  /// directly.
  private let plain: [UInt8]?

  /// - Throws: the error in the pattern.
  init(_ text: String) throws(Pattern.Failure) {
    pattern = try Pattern(text)
    let isPlain = text.allSatisfy { $0.isASCII && !"\\^$.|?*+()[]{}".contains($0) }
    plain = isPlain ? Array(text.utf8) : nil
  }

  /// - Returns: nil if the pattern takes too many steps on this message.
  func matches(_ payload: ByteBuffer) -> Bool? {
    payload.withUnsafeReadableBytes { matches($0) }
  }

  /// - Returns: nil if the pattern takes too many steps on this message.
  func matches(_ payload: UnsafeRawBufferPointer) -> Bool? {
    if let plain { return payload.firstRange(of: plain) != nil }
    // Text beyond the shown part is not searched.
    let text = String(decoding: payload.prefix(64 * 1024), as: UTF8.self)
    switch pattern.find(in: text) {
    case .found: return true
    case .notFound: return false
    case .tooManySteps: return nil
    }
  }
}
