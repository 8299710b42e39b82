package import NIOCore

/// The settings of the requests that control a server.
package struct ControlConfiguration: Sendable {
  /// The bearer token that these requests need; nil if they need only what all requests need.
  package var token: String?
  package var text: any ControlText

  package init(token: String?, text: any ControlText) {
    (self.token, self.text) = (token, text)
  }

  /// Makes a token of 128 random bits, in hexadecimal digits.
  package static func makeToken() -> String {
    var generator = SystemRandomNumberGenerator()
    let bits = UInt128(generator.next()) << 64 | UInt128(generator.next())
    let digits = String(bits, radix: 16)
    return String(repeating: "0", count: 32 - digits.count) + digits
  }
}

/// The words of replies that are also in the log.
package protocol ControlText: Sendable {
  /// An event as a JSON object with at least one member, without a line feed.
  ///
  /// - Returns: nil for an event that has none.
  func object(of event: ServerEvent, at time: NIODeadline) -> [UInt8]?
  /// The target of a request, in which secrets are replaced.
  func target(_ target: String) -> String
  /// An address and port; nil on a unix socket.
  func address(_ address: SocketAddress?) -> String?
}
