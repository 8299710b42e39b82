/// The content coding of an HTTP body (RFC 9110 section 8.4), undone.
package enum ContentCoding {
  package enum Outcome: Equatable, Sendable {
    /// The plain bytes, as far as the body goes.
    case plain([UInt8])
    /// A coding that is not known here, or bytes that are not of that coding.
    case unreadable(coding: String)
  }

  /// Undoes `coding`, the value of a Content-Encoding field; an empty one is no coding. The body may end
  /// anywhere; at most `limit` bytes come out.
  package static func decode(_ body: [UInt8], _ coding: String, limit: Int) -> Outcome {
    var body = body
    // "listed in the order in which they were applied"
    let codings = coding.split(separator: ",").map { $0.filter { $0 != " " }.lowercased() }
    for coding in codings.reversed() {
      switch coding {
      case "", "identity": break
      case "gzip", "x-gzip", "deflate":
        guard let plain = inflate(body, isDeflate: coding == "deflate", limit: limit) else {
          return .unreadable(coding: coding)
        }
        body = plain
      default: return .unreadable(coding: coding)
      }
    }
    return .plain(body)
  }

  /// gzip or zlib, whichever the bytes are, and raw deflate, which some servers send for `deflate`.
  private static func inflate(_ bytes: [UInt8], isDeflate: Bool, limit: Int) -> [UInt8]? {
    // 32 and 15: both headers, any window.
    let plain = Inflation.inflate(bytes, windowBits: -47, limit: limit)
    return plain ?? (isDeflate ? Inflation.inflate(bytes, windowBits: 15, limit: limit) : nil)
  }
}
