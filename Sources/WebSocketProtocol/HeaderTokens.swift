package import struct NIOHTTP1.HTTPHeaders

/// Comma-separated lists in header fields (RFC 9110 section 5.6.1), parsed in linear time.
enum HeaderTokens {
  /// The elements of all fields called `name`, in order, without surrounding white space; empty
  /// elements are omitted.
  static func list(_ name: String, in headers: HTTPHeaders) -> [String] {
    headers[name].flatMap { field in
      field.utf8.split(separator: UInt8(ascii: ",")).compactMap { element in
        let trimmed = trim(element)
        return trimmed.isEmpty ? nil : String(trimmed)
      }
    }
  }

  /// Whether the list `name` contains `token`, ignoring ASCII case.
  static func contains(_ token: String, in name: String, of headers: HTTPHeaders) -> Bool {
    list(name, in: headers).contains { equalsIgnoringCase($0, token) }
  }

  static func equalsIgnoringCase(_ one: String, _ other: String) -> Bool {
    equalsIgnoringCase(one.utf8, other.utf8)
  }

  static func equalsIgnoringCase(
    _ one: some Collection<UInt8>, _ other: some Collection<UInt8>
  ) -> Bool {
    one.count == other.count
      && zip(one, other).allSatisfy { lowercased($0) == lowercased($1) }
  }

  private static func lowercased(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
  }

  private static func trim(_ element: Substring.UTF8View) -> Substring {
    let isSpace: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    guard let first = element.firstIndex(where: { !isSpace($0) }),
      let last = element.lastIndex(where: { !isSpace($0) })
    else { return "" }
    return Substring(element[first...last])
  }
}

/// The characters allowed in the parts of a header field (RFC 9110 sections 5.5 and 5.6.2).
package enum HeaderSyntax {
  /// Whether `name` is a token, as a field name and a subprotocol must be.
  package static func isToken(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.allSatisfy(isTokenByte)
  }

  /// The first byte that is not allowed in a field value, with its offset: CR, LF, NUL and the
  /// other control characters, including U+0080 to U+009F, except the tab.
  package static func firstForbiddenByte(inValue value: String) -> (offset: Int, byte: UInt8)? {
    ControlBytes.first(in: value.utf8, allowing: 0x09)
  }

  static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default:
      "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
  }
}

extension HTTPHeaders {
  /// The fields with the white space around their values removed: "A field value does not include
  /// that leading or trailing whitespace" (RFC 9110 section 5.5), but NIO's parser keeps the
  /// trailing white space.
  package var withoutOuterSpace: HTTPHeaders {
    func isSpace(_ byte: UInt8?) -> Bool { byte == 0x20 || byte == 0x09 }
    guard contains(where: { isSpace($0.value.utf8.first) || isSpace($0.value.utf8.last) }) else {
      return self
    }
    return HTTPHeaders(
      map { name, value in
        var bytes = Substring(value).utf8
        while isSpace(bytes.first) { bytes.removeFirst() }
        while isSpace(bytes.last) { bytes.removeLast() }
        return (name, String(Substring(bytes)))
      })
  }
}

/// Control characters in UTF-8. No option that goes into a request needs one, and some readers take
/// U+0085 for the end of a line.
enum ControlBytes {
  /// The first byte of C0, DEL or C1, with its offset; for C1 the second of its two bytes.
  static func first(
    in bytes: some Sequence<UInt8>, allowing allowed: UInt8? = nil
  ) -> (offset: Int, byte: UInt8)? {
    var before: UInt8 = 0
    for (offset, byte) in bytes.enumerated() {
      let isC1 = before == 0xC2 && (0x80...0x9F).contains(byte)
      if byte < 0x20 || byte == 0x7F || isC1, byte != allowed { return (offset, byte) }
      before = byte
    }
    return nil
  }
}
