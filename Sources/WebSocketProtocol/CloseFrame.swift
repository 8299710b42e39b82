/// A status code of the closing handshake (RFC 6455 section 7.4).
package struct CloseCode: RawRepresentable, Hashable, Sendable {
  package let rawValue: UInt16

  package init(rawValue: UInt16) {
    self.rawValue = rawValue
  }

  package static let normal = CloseCode(rawValue: 1000)
  package static let goingAway = CloseCode(rawValue: 1001)
  package static let protocolError = CloseCode(rawValue: 1002)
  package static let unsupportedData = CloseCode(rawValue: 1003)
  package static let noStatus = CloseCode(rawValue: 1005)
  package static let abnormal = CloseCode(rawValue: 1006)
  package static let invalidPayload = CloseCode(rawValue: 1007)
  package static let policyViolation = CloseCode(rawValue: 1008)
  package static let tooBig = CloseCode(rawValue: 1009)
  package static let internalError = CloseCode(rawValue: 1011)

  /// Whether the code is allowed in a Close frame: 1005, 1006 and 1015 "MUST NOT be set as a status
  /// code in a Close control frame by an endpoint" (section 7.4.1), 1004 is undefined, 1016 to 2999
  /// are reserved and not registered, and codes below 1000 or from 5000 on are undefined.
  package var mayBeOnTheWire: Bool {
    switch rawValue {
    case 1000...1003, 1007...1014, 3000...4999: true
    default: false
    }
  }

  /// Whether the user may choose it: an application sends 1000 or 3000 to 4999.
  package var mayBeChosen: Bool {
    rawValue == 1000 || (3000...4999).contains(rawValue)
  }

  /// The name in the registry of WebSocket close codes, in lower case.
  package var name: String {
    switch rawValue {
    case 1000: "normal"
    case 1001: "going away"
    case 1002: "protocol error"
    case 1003: "unsupported data"
    case 1004: "reserved"
    case 1005: "no status"
    case 1006: "abnormal"
    case 1007: "invalid payload"
    case 1008: "policy violation"
    case 1009: "message too big"
    case 1010: "mandatory extension"
    case 1011: "internal error"
    case 1012: "service restart"
    case 1013: "try again later"
    case 1014: "bad gateway"
    case 1015: "TLS handshake"
    case 3000: "unauthorized"
    case 3003: "forbidden"
    case 3008: "timeout"
    case 3000...3999: "registered by a library"
    case 4000...4999: "private to the application"
    default: "not a valid code"
    }
  }
}

/// The body of a Close frame (RFC 6455 section 5.5.1).
package struct CloseFrame: Hashable, Sendable {
  /// nil when the frame has no body.
  package var code: CloseCode?
  package var reason: String

  package init(_ code: CloseCode?, reason: String = "") {
    self.code = code
    self.reason = reason
  }

  /// The maximum length of a reason in bytes: a control frame holds 125 bytes, and the code takes
  /// two.
  package static let maximumReasonLength = 123

  /// The code to report: "If this Close control frame contains no status code, _The WebSocket
  /// Connection Close Code_ is considered to be 1005" (section 7.1.5).
  package var reportedCode: CloseCode { code ?? .noStatus }

  /// The body in wire format, with the reason truncated to 123 bytes at a character boundary.
  package var body: [UInt8] {
    guard let code else { return [] }
    var bytes = [
      (code.rawValue >> 8).truncatedToUInt8, code.rawValue.truncatedToUInt8,
    ]
    var room = Self.maximumReasonLength
    for scalar in reason.unicodeScalars {
      guard scalar.utf8.count <= room else { break }
      bytes.append(contentsOf: scalar.utf8)
      room -= scalar.utf8.count
    }
    return bytes
  }

  /// Parses the body of a received Close frame.
  ///
  /// - Throws: the violation, when the body has one byte, a code that is not allowed in a Close
  ///   frame, or a reason that is not UTF-8.
  package static func read(_ body: UnsafeRawBufferPointer) throws(ProtocolViolation) -> CloseFrame {
    guard body.count > 0 else { return CloseFrame(nil) }
    // "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer"
    guard body.count >= 2 else { throw .closeBodyOfOneByte }
    let code = CloseCode(
      rawValue: UInt16(bigEndian: body.loadUnaligned(fromByteOffset: 0, as: UInt16.self)))
    guard code.mayBeOnTheWire else { throw .invalidCloseCode(code.rawValue) }
    let text = UnsafeRawBufferPointer(rebasing: body[2...])
    guard let reason = String(validating: text, as: UTF8.self) else {
      throw .closeReasonIsNotUTF8(
        InvalidUTF8(in: text, after: UnsafeRawBufferPointer(start: nil, count: 0)))
    }
    return CloseFrame(code, reason: reason)
  }
}
