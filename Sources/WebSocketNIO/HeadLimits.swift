import NIOHTTP1

/// Limits on the size of a request or reply head. By default 8 KiB per line, 100 fields and 32 KiB
/// in total.
package struct HeadLimits: Sendable, Hashable {
  /// The limits of clients, and of servers unless configured otherwise.
  package static let standard = HeadLimits(head: 32 * 1024)

  /// The maximum size of a head in bytes, all bytes counted.
  package let head: Int
  /// The maximum length of a line in bytes, including its end: a quarter of the head.
  package var line: Int { head / 4 }
  /// The maximum number of header fields.
  package let fields = 100

  /// - Parameter head: The maximum size of a head in bytes, at least 1024.
  package init(head: Int) {
    self.head = head
  }

  /// The limits of the parser, which counts only names and values.
  var configuration: NIOHTTPDecoderLimitConfiguration {
    var limits = NIOHTTPDecoderLimitConfiguration()
    limits.maxHeaderFieldSize = line
    limits.maxHeaderListSize = head
    limits.maxHeaderFieldCount = fields
    return limits
  }
}
