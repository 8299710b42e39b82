/// Decodes the content coding of an HTTP body (RFC 9110 section 8.4).
package enum ContentCoding {
  package enum Outcome: Equatable, Sendable {
    /// The decoded bytes of the body, which may be incomplete.
    case plain([UInt8])
    /// An unknown coding, or bytes that are not of that coding.
    case unreadable(coding: String)
  }

  /// Decodes `coding`, the value of a Content-Encoding field; an empty value means no coding. The
  /// body may end anywhere; at most `limit` bytes are returned.
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

  /// Accepts gzip and zlib for either coding, and raw deflate, which some servers send for
  /// `deflate`.
  private static func inflate(_ bytes: [UInt8], isDeflate: Bool, limit: Int) -> [UInt8]? {
    // 32 and 15: both headers, any window.
    let plain = Inflation.inflate(bytes, windowBits: -47, limit: limit)
    return plain ?? (isDeflate ? Inflation.inflate(bytes, windowBits: 15, limit: limit) : nil)
  }
}
