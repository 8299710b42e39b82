import NIOHTTP1

/// How large the head of a request or of a reply may be: 8 KiB a line, 100 fields, 32 KiB in all.
enum HeadLimits {
  static let configuration = {
    var limits = NIOHTTPDecoderLimitConfiguration()
    limits.maxHeaderFieldSize = 8 * 1024
    limits.maxHeaderListSize = 32 * 1024
    limits.maxHeaderFieldCount = 100
    return limits
  }()
}
