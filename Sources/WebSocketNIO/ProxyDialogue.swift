import NIOHTTP1

/// The dialogue with a proxy, without I/O: bytes in, steps out.
package struct ProxyDialogue: Sendable {
  /// What the caller must do next.
  package enum Step: Sendable {
    case needsMore
    case write([UInt8])
    /// The tunnel to the server is open; the bytes after the proxy's reply come from the server.
    case open(rest: [UInt8])
    case fail(ProxyFailure)
  }

  /// The destination that the proxy is to connect to.
  package enum Target: Hashable, Sendable {
    case name(String, port: Int)
    /// 4 or 16 bytes.
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

  /// The first bytes to send.
  package var greeting: [UInt8] {
    switch kind {
    case .connect(let connect): connect.request
    case .socks(let socks): socks.greeting
    }
  }

  /// Whether the proxy has refused, and only the text of its reply is still to come.
  package var isRefused: Bool {
    if case .connect(let connect) = kind { connect.isRefused } else { false }
  }

  /// Handles bytes from the proxy. After a `write` step, call it again without bytes.
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

  /// The failure if the proxy ends the connection now.
  package func ended(errno: Int32?) -> ProxyFailure {
    switch kind {
    case .connect(let connect): connect.ended(errno: errno)
    case .socks(let socks): .closed(received: socks.received, errno: errno)
    }
  }
}

/// The reason why a tunnel through a proxy could not be opened.
package enum ProxyFailure: Error, Sendable {
  /// The name of the proxy has no address.
  case unresolved(host: String, message: String)
  case unreachable([ConnectError.Attempt])
  /// TLS to the proxy itself failed.
  case tls(TLSFailure)
  /// A reply to CONNECT whose status is not 2xx.
  case refused(HTTPRefusal)
  case refusedBySOCKS(SOCKSRefusal)
  /// A reply to CONNECT that is not HTTP or exceeds the limits; at most 4 KiB of it.
  case malformedReply(ConnectError.MalformedReply, received: [UInt8])
  /// A reply that is not SOCKS version 5.
  case notSOCKS(received: [UInt8])
  /// The proxy closed the connection before its reply was complete.
  case closed(received: [UInt8], errno: Int32?)
}

/// The reason for a refusal by a SOCKS proxy.
package enum SOCKSRefusal: Hashable, Sendable {
  /// It accepts none of the authentication methods offered.
  case noAcceptableMethod
  /// It rejects the user and password.
  case wrongCredentials
  /// The reply code of RFC 1928 section 6.
  case reply(UInt8)
  /// The name is longer than 255 bytes: its length has one byte.
  case nameTooLong
}
