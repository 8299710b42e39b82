/// permessage-deflate as it is offered and answered (RFC 7692 section 7.1).
package struct DeflateParameters: Sendable, Hashable {
  /// The server forgets its window after each message.
  package var serverNoContextTakeover = false
  /// The client forgets its window after each message.
  package var clientNoContextTakeover = false
  /// The largest window the server may use, as a power of two from 8 to 15; nil says nothing.
  package var serverMaxWindowBits: Int?
  package var clientMaxWindowBits: ClientWindow?

  /// `client_max_window_bits` may stand in an offer without a value: then it only says that the
  /// client understands the parameter.
  package enum ClientWindow: Sendable, Hashable {
    case understood
    case atMost(Int)
  }

  package init() {}

  package static let name = "permessage-deflate"

  /// As it stands in the field.
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

  /// Reads the parameters of an offer or of an answer; nil when one is unknown, stands twice or has
  /// a value that it must not have.
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

/// What both sides have agreed on, seen from one of them.
package struct DeflateAgreement: Sendable, Hashable {
  /// Window bits of our deflater, 9 to 15; nil: the agreement is one that our deflater cannot keep
  /// (zlib has no raw deflate with a window of 256 bytes), so what we send is not compressed.
  package var outgoingWindowBits: Int?
  package var outgoingTakeover: Bool
  package var incomingTakeover: Bool

  /// The server's side of its own `answer`.
  package init(serverAnswering answer: DeflateParameters) {
    self.init(bits: answer.serverMaxWindowBits ?? 15)
    outgoingTakeover = !answer.serverNoContextTakeover
    incomingTakeover = !answer.clientNoContextTakeover
  }

  /// The client's side of the server's `answer`. What the client has said of itself in its offer
  /// binds it even where the answer is silent (RFC 7692 sections 7.1.1.2 and 7.1.2.2).
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

/// The server's choice.
package enum DeflateChoice {
  /// The answer to the first offer that can be accepted, or nil to decline them all.
  ///
  /// `wishes` are the server's own limits: windows it wants smaller, takeover it does not want.
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
    // zlib refuses a window of 256 bytes for raw deflate: an offer that insists on it is declined.
    if let serverBits, serverBits < 9 {
      guard asked.serverMaxWindowBits.map({ $0 > 8 }) ?? true else { return nil }
    }
    answer.serverMaxWindowBits = serverBits.map { max($0, 9) }
    answer.serverNoContextTakeover =
      asked.serverNoContextTakeover || wishes.serverNoContextTakeover
    answer.clientNoContextTakeover =
      asked.clientNoContextTakeover || wishes.clientNoContextTakeover
    // "a server MUST NOT include it in a response if the offer did not have it"; otherwise a limit
    // of ours is worth naming, since the client's own needs no confirmation.
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

  /// Judges the server's answer to what the client offered.
  ///
  /// - Throws: what is wrong with it.
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
    // In an answer the parameter has a value, and it stands there only if it was offered.
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
