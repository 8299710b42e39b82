import NIOCore
package import NIOHTTP1

/// The body of a request while it is being received. It holds at most `limit` bytes.
struct RequestBody {
  /// In bytes.
  let limit: Int
  private(set) var bytes = ByteBuffer()
  private let share: RequestBodies.Share

  /// - Parameters:
  ///   - limit: In bytes.
  ///   - bodies: What all bodies of the server hold.
  init(limit: Int, of bodies: RequestBodies) {
    self.limit = limit
    share = RequestBodies.Share(of: bodies)
  }

  /// How the end of a body is found (RFC 9112 section 6.3).
  enum Framing: Equatable {
    /// In bytes; 0 if the request announces no body.
    case length(Int)
    /// Its length is known at its end only, as that of a chunked body.
    case open
  }

  /// Judges the fields that announce a body. A parser in front of this server might read the same
  /// fields differently, so nothing is accepted that has two readings.
  ///
  /// - Throws: What is wrong with the fields.
  static func framing(_ headers: HTTPHeaders) throws(RequestBodyProblem) -> Framing {
    let lengths = headers["Content-Length"]
    let codings = headers["Transfer-Encoding"]
    guard lengths.count + codings.count <= 1 else { throw .ambiguousLength }
    if let coding = codings.first {
      guard coding.lowercased() == "chunked" else { throw .unknownCoding }
      return .open
    }
    guard let text = lengths.first else { return .length(0) }
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let length = Int(text, radix: 10)
    else { throw .invalidLength }
    return .length(length)
  }

  /// Checks an announced length before anything is received.
  ///
  /// - Throws: `tooLarge`.
  func expect(_ framing: Framing) throws(RequestBodyProblem) {
    if case .length(let length) = framing, length > limit { throw .tooLarge(limit: limit) }
  }

  /// Adds received bytes.
  ///
  /// - Throws: `tooLarge`; `tooMany` at the limit of all bodies together. The bytes are then discarded.
  mutating func append(_ piece: ByteBuffer) throws(RequestBodyProblem) {
    guard piece.readableBytes <= limit - bytes.readableBytes else {
      bytes = ByteBuffer()
      throw .tooLarge(limit: limit)
    }
    guard share.take(piece.readableBytes) else {
      bytes = ByteBuffer()
      throw .tooMany
    }
    bytes.writeImmutableBuffer(piece)
  }
}

/// Why the body of a request is not accepted.
package enum RequestBodyProblem: Error, Equatable, Sendable {
  /// Content-Length with Transfer-Encoding, or either of them twice (RFC 9112 section 6.1).
  case ambiguousLength
  case invalidLength
  /// A transfer coding other than chunked.
  case unknownCoding
  /// Over `limit` bytes.
  case tooLarge(limit: Int)
  /// The bodies of all requests together are too large.
  case tooMany
  /// Not complete within the time limit.
  case timedOut

  package var status: HTTPResponseStatus {
    switch self {
    case .ambiguousLength, .invalidLength: .badRequest
    case .unknownCoding: .notImplemented
    case .tooLarge: .payloadTooLarge
    case .tooMany: .serviceUnavailable
    case .timedOut: .requestTimeout
    }
  }

  /// The text of the reply.
  package var explanation: String {
    switch self {
    case .ambiguousLength:
      "the request must have one Content-Length or one Transfer-Encoding, not both or more"
    case .invalidLength: "the Content-Length is not a number"
    case .unknownCoding: "the only supported transfer coding is chunked"
    case .tooLarge(let limit): "the body is over \(limit) bytes"
    case .tooMany: "the server holds too many bodies of other requests"
    case .timedOut: "the body was not complete within the time limit"
    }
  }
}
