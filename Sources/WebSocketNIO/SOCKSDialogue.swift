import WebSocketProtocol

/// CONNECT of SOCKS version 5 (RFC 1928), with user and password if given (RFC 1929), without I/O.
struct SOCKSDialogue: Sendable {
  private enum State {
    case method
    case authentication
    case reply
  }

  private enum Method {
    static let none: UInt8 = 0
    static let password: UInt8 = 2
  }

  private static let version: UInt8 = 5
  private static let passwordVersion: UInt8 = 1
  private static let connect: UInt8 = 1

  private let target: ProxyDialogue.Target
  private let credentials: ProxyServer.Credentials?
  private var state = State.method
  /// The bytes not consumed by a step yet; never more than a reply and the data of one read.
  private(set) var received: [UInt8] = []

  init(_ target: ProxyDialogue.Target, _ credentials: ProxyServer.Credentials?) {
    self.target = target
    self.credentials = credentials
  }

  var greeting: [UInt8] {
    let methods = credentials == nil ? [Method.none] : [Method.none, Method.password]
    return [Self.version, methods.count.truncatedToUInt8] + methods
  }

  mutating func receive(_ bytes: [UInt8]) -> ProxyDialogue.Step {
    received += bytes
    switch state {
    case .method: return methodChosen()
    case .authentication: return authenticated()
    case .reply: return replied()
    }
  }

  private mutating func methodChosen() -> ProxyDialogue.Step {
    guard received.first ?? Self.version == Self.version else { return notSOCKS }
    guard received.count >= 2 else { return .needsMore }
    let method = received[1]
    received.removeFirst(2)
    switch (method, credentials) {
    case (Method.none, _):
      return ask()
    case (Method.password, let credentials?):
      let (user, password) = (Array(credentials.user.utf8), Array(credentials.password.utf8))
      state = .authentication
      return .write(
        [Self.passwordVersion, user.count.truncatedToUInt8] + user + [
          password.count.truncatedToUInt8
        ] + password)
    default:
      return .fail(.refusedBySOCKS(.noAcceptableMethod))
    }
  }

  private mutating func authenticated() -> ProxyDialogue.Step {
    guard received.count >= 2 else { return .needsMore }
    // RFC 1929: "A STATUS field of X'00' indicates success."
    guard received[1] == 0 else { return .fail(.refusedBySOCKS(.wrongCredentials)) }
    received.removeFirst(2)
    return ask()
  }

  private mutating func ask() -> ProxyDialogue.Step {
    let address: [UInt8]
    let port: Int
    switch target {
    case .name(let name, let number):
      let bytes = Array(name.utf8)
      guard bytes.count <= 255 else { return .fail(.refusedBySOCKS(.nameTooLong)) }
      (address, port) = ([3, bytes.count.truncatedToUInt8] + bytes, number)
    case .address(let bytes, let number):
      (address, port) = ([bytes.count == 4 ? 1 : 4] + bytes, number)
    }
    state = .reply
    return .write(
      [Self.version, Self.connect, 0] + address + [
        (port >> 8).truncatedToUInt8, port.truncatedToUInt8,
      ])
  }

  private mutating func replied() -> ProxyDialogue.Step {
    guard received.first ?? Self.version == Self.version else { return notSOCKS }
    guard received.count >= 2 else { return .needsMore }
    guard received[1] == 0 else { return .fail(.refusedBySOCKS(.reply(received[1]))) }
    guard received.count >= 5 else { return .needsMore }
    // The address that the proxy connects from, which is ignored.
    let address: Int
    switch received[3] {
    case 1: address = 4
    case 3: address = 1 + received[4].asInt
    case 4: address = 16
    default: return notSOCKS
    }
    let length = 4 + address + 2
    guard received.count >= length else { return .needsMore }
    return .open(rest: Array(received.dropFirst(length)))
  }

  private var notSOCKS: ProxyDialogue.Step {
    .fail(.notSOCKS(received: Array(received.prefix(4 * 1024))))
  }
}
