import NIOHTTP1

/// How large the head of a request or of a reply may be: 8 KiB a line, 100 fields, 32 KiB in all.
enum HeadLimits {
  /// Bytes of a line, its end counted.
  static let line = 8 * 1024
  /// Bytes of a head, every one counted.
  static let head = 32 * 1024
  static let fields = 100

  /// The parser's own limits, which count names and values.
  static let configuration = {
    var limits = NIOHTTPDecoderLimitConfiguration()
    limits.maxHeaderFieldSize = line
    limits.maxHeaderListSize = head
    limits.maxHeaderFieldCount = fields
    return limits
  }()
}
