import NIOHTTP1

/// What is said to a proxy and what it answers, without a socket: bytes in, steps out.
package struct ProxyDialogue: Sendable {
  package enum Step: Sendable {
    case needsMore
    case write([UInt8])
    /// The way to the server is open; what came behind the reply is the server's.
    case open(rest: [UInt8])
    case fail(ProxyFailure)
  }

  /// Whom the proxy is to connect to.
  package enum Target: Hashable, Sendable {
    case name(String, port: Int)
    /// Four or sixteen bytes.
    case address([UInt8], port: Int)
  }

  private enum Kind: Sendable {
    case connect(ConnectDialogue)
    case socks(SOCKSDialogue)
  }

  private var kind: Kind

  package init(_ proxy: ProxyServer, to target: Target, userAgent: String) {
    switch proxy.kind {
    case .http, .https:
      kind = .connect(ConnectDialogue(target, proxy.credentials, userAgent: userAgent))
    case .socks5, .socks5h:
      kind = .socks(SOCKSDialogue(target, proxy.credentials))
    }
  }

  /// What is said first.
  package var greeting: [UInt8] {
    switch kind {
    case .connect(let connect): connect.request
    case .socks(let socks): socks.greeting
    }
  }

  /// Whether it has refused, and only the text of its reply is still to come.
  package var isRefused: Bool {
    if case .connect(let connect) = kind { connect.isRefused } else { false }
  }

  /// Takes what the proxy says. Behind a `write` it is to be called again, with nothing.
  package mutating func receive(_ bytes: [UInt8]) -> Step {
    switch kind {
    case .connect(var connect):
      defer { kind = .connect(connect) }
      return connect.receive(bytes)
    case .socks(var socks):
      defer { kind = .socks(socks) }
      return socks.receive(bytes)
    }
  }

  /// What it comes to when the proxy says no more.
  package func ended(errno: Int32?) -> ProxyFailure {
    switch kind {
    case .connect(let connect): connect.ended(errno: errno)
    case .socks(let socks): .closed(received: socks.received, errno: errno)
    }
  }
}

/// Why there is no way through a proxy.
package enum ProxyFailure: Error, Sendable {
  /// Its name has no address.
  case unresolved(host: String, message: String)
  case unreachable([ConnectError.Attempt])
  /// TLS to the proxy itself.
  case tls(TLSFailure)
  /// A reply to CONNECT whose status is not 2xx.
  case refused(HTTPRefusal)
  case refusedBySOCKS(SOCKSRefusal)
  /// A reply to CONNECT that is no HTTP, or over the limits; at most 4 KiB of it.
  case malformedReply(ConnectError.MalformedReply, received: [UInt8])
  /// A reply that is not of SOCKS version 5.
  case notSOCKS(received: [UInt8])
  /// It ended the connection before its reply was whole.
  case closed(received: [UInt8], errno: Int32?)
}

/// How a SOCKS proxy refuses.
package enum SOCKSRefusal: Hashable, Sendable {
  /// It takes none of the ways to authenticate that we know.
  case noAcceptableMethod
  /// It does not take the user and password.
  case wrongCredentials
  /// The reply code of RFC 1928 section 6.
  case reply(UInt8)
  /// Names have one byte for their length.
  case nameTooLong
}
