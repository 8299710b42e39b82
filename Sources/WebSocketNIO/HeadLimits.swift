import NIOHTTP1

/// How large the head of a request or of a reply may be: 8 KiB a line, 100 fields, 32 KiB in all, unless the
/// server's owner wants more.
package struct HeadLimits: Sendable, Hashable {
  /// What a client accepts, and a server unless it is configured otherwise.
  package static let standard = HeadLimits(head: 32 * 1024)

  /// Bytes of a head, every one counted.
  package let head: Int
  /// Bytes of a line, its end counted: a quarter of the head.
  package var line: Int { head / 4 }
  package let fields = 100

  /// - Parameter head: in bytes, at least 1024.
  package init(head: Int) {
    self.head = head
  }

  /// The parser's own limits, which count names and values.
  var configuration: NIOHTTPDecoderLimitConfiguration {
    var limits = NIOHTTPDecoderLimitConfiguration()
    limits.maxHeaderFieldSize = line
    limits.maxHeaderListSize = head
    limits.maxHeaderFieldCount = fields
    return limits
  }
}
