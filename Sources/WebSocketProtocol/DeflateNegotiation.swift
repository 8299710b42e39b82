/// The parameters of permessage-deflate in an offer or an answer (RFC 7692 section 7.1).
package struct DeflateParameters: Sendable, Hashable {
  /// The server resets its window after each message.
  package var serverNoContextTakeover = false
  /// The client resets its window after each message.
  package var clientNoContextTakeover = false
  /// The largest window that the server may use, as a power of two from 8 to 15; nil if not
  /// specified.
  package var serverMaxWindowBits: Int?
  package var clientMaxWindowBits: ClientWindow?

  /// `client_max_window_bits` may appear in an offer without a value, which only says that the
  /// client understands the parameter.
  package enum ClientWindow: Sendable, Hashable {
    case understood
    case atMost(Int)
  }

  package init() {}

  package static let name = "permessage-deflate"

  /// The text in the header field.
  package var text: String {
    var parts = [Self.name]
    if serverNoContextTakeover { parts.append("server_no_context_takeover") }
    if clientNoContextTakeover { parts.append("client_no_context_takeover") }
    if let serverMaxWindowBits { parts.append("server_max_window_bits=\(serverMaxWindowBits)") }
    switch clientMaxWindowBits {
    case .atMost(let bits): parts.append("client_max_window_bits=\(bits)")
    case .understood: parts.append("client_max_window_bits")
    case nil: break
    }
    return parts.joined(separator: "; ")
  }

  /// Parses the parameters of an offer or an answer; nil if one is unknown, repeated or has an
  /// invalid value.
  package init?(_ offer: ExtensionOffer) {
    var seen: Set<String> = []
    for parameter in offer.parameters {
      guard seen.insert(parameter.name).inserted else { return nil }
      switch (parameter.name, parameter.value) {
      case ("server_no_context_takeover", nil): serverNoContextTakeover = true
      case ("client_no_context_takeover", nil): clientNoContextTakeover = true
      case ("client_max_window_bits", nil): clientMaxWindowBits = .understood
      case ("client_max_window_bits", let value?):
        guard let bits = Self.windowBits(value) else { return nil }
        clientMaxWindowBits = .atMost(bits)
      case ("server_max_window_bits", let value?):
        guard let bits = Self.windowBits(value) else { return nil }
        serverMaxWindowBits = bits
      default: return nil
      }
    }
  }

  /// "a decimal integer value without leading zeroes between 8 to 15, inclusive"
  package static func windowBits(_ text: String) -> Int? {
    guard let bits = Int(text, radix: 10), String(bits) == text, (8...15).contains(bits) else {
      return nil
    }
    return bits
  }
}

/// The agreement between both sides, from the point of view of one of them.
package struct DeflateAgreement: Sendable, Hashable {
  /// Window bits of our deflater, 9 to 15. nil if the deflater cannot comply with the agreement
  /// (zlib has no raw deflate with a window of 256 bytes); outgoing messages are then not
  /// compressed.
  package var outgoingWindowBits: Int?
  package var outgoingTakeover: Bool
  package var incomingTakeover: Bool

  /// The server's side of its own `answer`.
  package init(serverAnswering answer: DeflateParameters) {
    self.init(bits: answer.serverMaxWindowBits ?? 15)
    outgoingTakeover = !answer.serverNoContextTakeover
    incomingTakeover = !answer.clientNoContextTakeover
  }

  /// The client's side of the server's `answer`. The client's own offer binds it even where the
  /// answer does not mention a parameter (RFC 7692 sections 7.1.1.2 and 7.1.2.2).
  package init(client offer: DeflateParameters, answer: DeflateParameters) {
    let bits = [offer.clientMaxWindowBits, answer.clientMaxWindowBits].map { window -> Int in
      if case .atMost(let bits) = window { bits } else { 15 }
    }
    self.init(bits: min(bits[0], bits[1]))
    outgoingTakeover = !answer.clientNoContextTakeover && !offer.clientNoContextTakeover
    incomingTakeover = !answer.serverNoContextTakeover
  }

  private init(bits: Int) {
    outgoingWindowBits = bits > 8 ? bits : nil
    outgoingTakeover = true
    incomingTakeover = true
  }
}

/// The server's selection of an offer.
package enum DeflateChoice {
  /// The answer to the first acceptable offer, or nil to decline all.
  ///
  /// `wishes` are the server's own limits: smaller windows, and no context takeover.
  package static func answer(
    _ offers: [ExtensionOffer], wishes: DeflateParameters
  ) -> DeflateParameters? {
    for offer in offers where offer.name == DeflateParameters.name {
      if let asked = DeflateParameters(offer), let answer = answer(asked, wishes) { return answer }
    }
    return nil
  }

  private static func answer(
    _ asked: DeflateParameters, _ wishes: DeflateParameters
  ) -> DeflateParameters? {
    var answer = DeflateParameters()
    let serverBits = [asked.serverMaxWindowBits, wishes.serverMaxWindowBits].compactMap { $0 }.min()
    // zlib rejects a window of 256 bytes for raw deflate: an offer that requires it is declined.
    if let serverBits, serverBits < 9 {
      guard asked.serverMaxWindowBits.map({ $0 > 8 }) ?? true else { return nil }
    }
    answer.serverMaxWindowBits = serverBits.map { max($0, 9) }
    answer.serverNoContextTakeover =
      asked.serverNoContextTakeover || wishes.serverNoContextTakeover
    answer.clientNoContextTakeover =
      asked.clientNoContextTakeover || wishes.clientNoContextTakeover
    // "a server MUST NOT include it in a response if the offer did not have it". Otherwise only a
    // limit of the server's own is included, since the client's needs no confirmation.
    if let window = asked.clientMaxWindowBits,
      case .atMost(let wished)? = wishes.clientMaxWindowBits
    {
      if case .atMost(let bits) = window {
        answer.clientMaxWindowBits = .atMost(min(bits, wished))
      } else {
        answer.clientMaxWindowBits = .atMost(wished)
      }
    }
    return answer
  }

  /// Checks the server's answer against the client's offer.
  ///
  /// - Throws: the violation.
  package static func check(
    _ answers: [ExtensionOffer], offered: DeflateParameters?
  ) throws(HandshakeViolation) -> DeflateParameters? {
    guard let first = answers.first else { return nil }
    guard let offered else { throw .unofferedExtension(first.name) }
    for answer in answers where answer.name != DeflateParameters.name {
      throw .unofferedExtension(answer.name)
    }
    guard answers.count == 1 else { throw .wrongExtension("\(first.name) twice") }
    guard let chosen = DeflateParameters(first) else {
      throw .wrongExtension(Self.text(first))
    }
    // In an answer the parameter must have a value, and is allowed only if it was offered.
    switch (chosen.clientMaxWindowBits, offered.clientMaxWindowBits) {
    case (.understood?, _), (.atMost?, nil): throw .wrongExtension(Self.text(first))
    case (.atMost(let bits)?, .atMost(let most)?) where bits > most:
      throw .wrongExtension(Self.text(first))
    default: break
    }
    if let most = offered.serverMaxWindowBits {
      // "accepts by including the parameter with the same or smaller value"
      guard let bits = chosen.serverMaxWindowBits, bits <= most else {
        throw .wrongExtension(Self.text(first))
      }
    }
    if offered.serverNoContextTakeover, !chosen.serverNoContextTakeover {
      throw .wrongExtension(Self.text(first))
    }
    return chosen
  }

  private static func text(_ offer: ExtensionOffer) -> String {
    let parameters = offer.parameters.map { parameter in
      parameter.value.map { "\(parameter.name)=\($0)" } ?? parameter.name
    }
    return ([offer.name] + parameters).joined(separator: "; ")
  }
}
