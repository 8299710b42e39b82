/// The value of Sec-WebSocket-Extensions (RFC 6455 section 9.1), parsed in linear time.
package struct ExtensionOffer: Sendable, Hashable {
  package struct Parameter: Sendable, Hashable {
    package var name: String
    /// nil for a parameter without `=`; a quoted value without its quotes.
    package var value: String?

    package init(name: String, value: String?) {
      self.name = name
      self.value = value
    }
  }

  package var name: String
  package var parameters: [Parameter]

  package init(name: String, parameters: [Parameter]) {
    self.name = name
    self.parameters = parameters
  }

  /// Parses all elements of a list; nil if it violates the grammar.
  ///
  /// ```
  /// extension-list = 1#extension
  /// extension = extension-token *( ";" extension-param )
  /// extension-param = token [ "=" (token | quoted-string) ]
  /// ```
  package static func list(_ text: String) -> [ExtensionOffer]? {
    var reader = ListReader(text)
    return reader.list()
  }
}

private struct ListReader {
  private let bytes: [UInt8]
  private var next = 0

  init(_ text: String) {
    bytes = Array(text.utf8)
  }

  mutating func list() -> [ExtensionOffer]? {
    var offers: [ExtensionOffer] = []
    repeat {
      skipSpace()
      // "#rule" lists may have empty elements (RFC 9110 section 5.6.1).
      if next == bytes.count || bytes[next] == UInt8(ascii: ",") { continue }
      guard let offer = offer() else { return nil }
      offers.append(offer)
    } while take(UInt8(ascii: ","))
    return next == bytes.count ? offers : nil
  }

  private mutating func offer() -> ExtensionOffer? {
    guard let name = token() else { return nil }
    var parameters: [ExtensionOffer.Parameter] = []
    while take(UInt8(ascii: ";")) {
      skipSpace()
      guard let name = token() else { return nil }
      guard take(UInt8(ascii: "=")) else {
        parameters.append(.init(name: name, value: nil))
        continue
      }
      skipSpace()
      guard let value = quoted() ?? token() else { return nil }
      parameters.append(.init(name: name, value: value))
    }
    return ExtensionOffer(name: name, parameters: parameters)
  }

  private mutating func token() -> String? {
    let start = next
    while next < bytes.count, HeaderSyntax.isTokenByte(bytes[next]) { next += 1 }
    return next > start ? String(decoding: bytes[start..<next], as: UTF8.self) : nil
  }

  /// "the value after quoted-string unescaping MUST conform to the 'token' ABNF"
  private mutating func quoted() -> String? {
    guard next < bytes.count, bytes[next] == UInt8(ascii: "\"") else { return nil }
    var value: [UInt8] = []
    var index = next + 1
    while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
      if bytes[index] == UInt8(ascii: "\\") { index += 1 }
      guard index < bytes.count, HeaderSyntax.isTokenByte(bytes[index]) else { return nil }
      value.append(bytes[index])
      index += 1
    }
    guard index < bytes.count, !value.isEmpty else { return nil }
    next = index + 1
    return String(decoding: value, as: UTF8.self)
  }

  private mutating func skipSpace() {
    while next < bytes.count, bytes[next] == 0x20 || bytes[next] == 0x09 { next += 1 }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard next < bytes.count, bytes[next] == byte else { return false }
    next += 1
    return true
  }
}
