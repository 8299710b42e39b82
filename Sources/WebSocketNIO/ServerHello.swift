import WebSocketProtocol

/// The unencrypted part of a server's TLS handshake, for facts that the library does not provide:
/// the cipher suite (RFC 8446 section 4.1.3), the version, and whether a certificate was requested.
struct ServerHello: Equatable {
  /// The number of the cipher suite.
  var cipher: UInt16
  var version: UInt16
  /// Whether a CertificateRequest follows. In TLS 1.3 that is encrypted, and this is false.
  var requestsCertificate = false

  /// Parses the first bytes received; nil if they do not begin with a ServerHello.
  init?(_ wire: [UInt8]) {
    let messages = Self.messages(wire)
    guard let hello = messages.first, hello.type == 2 else { return nil }
    var body = Reader(hello.body)
    guard let version = body.number(), body.skip(32), let session = body.byte(),
      body.skip(session.asInt), let cipher = body.number()
    else { return nil }
    self.cipher = cipher
    self.version = body.skip(1) ? Self.supportedVersion(&body) ?? version : version
    requestsCertificate = messages.contains { $0.type == 13 }
  }

  /// The handshake messages of the records up to the first one that is not an unencrypted handshake
  /// record.
  private static func messages(_ wire: [UInt8]) -> [(type: UInt8, body: ArraySlice<UInt8>)] {
    var stream: [UInt8] = []
    var records = Reader(wire[...])
    while let type = records.byte(), type == 0x16, records.skip(2), let length = records.number() {
      let piece = records.upTo(length.asInt)
      stream += piece
      if piece.count < length.asInt { break }
    }
    var messages: [(type: UInt8, body: ArraySlice<UInt8>)] = []
    var reader = Reader(stream[...])
    while let type = reader.byte(), let high = reader.byte(), let low = reader.number() {
      messages.append((type, reader.upTo(high.asInt << 16 | low.asInt)))
    }
    return messages
  }

  /// The version in the extension supported_versions (43), which TLS 1.3 uses.
  private static func supportedVersion(_ body: inout Reader) -> UInt16? {
    guard body.number() != nil else { return nil }
    while let type = body.number(), let length = body.number() {
      var value = Reader(body.upTo(length.asInt))
      if type == 43 { return value.number() }
    }
    return nil
  }

  private struct Reader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
      rest = bytes
    }

    mutating func byte() -> UInt8? { rest.popFirst() }

    mutating func number() -> UInt16? {
      guard rest.count >= 2, let high = rest.popFirst(), let low = rest.popFirst() else {
        return nil
      }
      return high.truncatedToUInt16 << 8 | low.truncatedToUInt16
    }

    mutating func skip(_ count: Int) -> Bool {
      guard rest.count >= count else { return false }
      rest.removeFirst(count)
      return true
    }

    mutating func upTo(_ count: Int) -> ArraySlice<UInt8> {
      let piece = rest.prefix(count)
      rest = rest.dropFirst(count)
      return piece
    }
  }
}
