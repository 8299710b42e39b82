import Glibc
import NIOHTTP1
import WebSocketNIO
import WebSocketProtocol

/// A connection failure, classified as `ErrorTally` counts it.
struct ConnectionFailure {
  var phase: ErrorTally.Phase
  var `class`: ErrorTally.Class
  var code: Int?
  var sample: String?

  private init(
    _ phase: ErrorTally.Phase, _ class: ErrorTally.Class, code: Int? = nil, _ sample: String? = nil
  ) {
    self.phase = phase
    self.class = `class`
    self.code = code
    self.sample = sample
  }

  // MARK: Never opened

  init(_ error: ConnectError) {
    switch error {
    case .unresolved(let host, let message):
      self.init(.resolve, .other, "\(host): \(message)")
    case .unreachable(let attempts):
      self.init(.tcp, attempts)
    case .proxy(let failure):
      self.init(failure)
    case .tls(let failure):
      self.init(failure)
    case .http2(.reset(let code)):
      self.init(.upgrade, .reset, "RST_STREAM \(code)")
    case .http2(let failure):
      self.init(.upgrade, .violation, "\(failure)")
    case .closedBeforeReply(_, let errno):
      self.init(.upgrade, errno == nil ? .lost : .reset, code: errno.map { Int($0) })
    case .refused(let refusal):
      let status = Int(refusal.head.status.code)
      self.init(.upgrade, .http(status), code: status, refusal.head.status.reasonPhrase)
    case .malformedReply(let kind, _):
      self.init(.upgrade, .violation, "\(kind)")
    case .invalidHandshake(let violation, _):
      self.init(.upgrade, .violation, "\(violation)")
    case .timedOut(let phase, _, _):
      self.init(Self.phase(phase), .timeout)
    case .redirect(_, let refusal):
      self.init(ConnectError.refused(refusal))
    }
  }

  private init(_ phase: ErrorTally.Phase, _ attempts: [ConnectError.Attempt]) {
    // The attempt at the last address decided the outcome.
    let last = attempts.last
    self.init(
      phase, Self.class(errno: last?.errno), code: last?.errno.map { Int($0) }, last?.description)
  }

  private init(_ failure: ProxyFailure) {
    switch failure {
    case .unresolved(let host, let message):
      self.init(.resolve, .other, "proxy \(host): \(message)")
    case .unreachable(let attempts):
      self.init(.proxy, attempts)
    case .tls(let failure):
      self.init(failure)
      phase = .proxy
    case .refused(let refusal):
      let status = Int(refusal.head.status.code)
      self.init(.proxy, .http(status), code: status, refusal.head.status.reasonPhrase)
    case .refusedBySOCKS(.reply(let code)):
      self.init(.proxy, .refused, code: Int(code), "SOCKS reply \(code)")
    case .refusedBySOCKS(let refusal):
      self.init(.proxy, .refused, "\(refusal)")
    case .malformedReply, .notSOCKS:
      self.init(.proxy, .violation, "the proxy sent no valid reply")
    case .closed(_, let errno):
      self.init(.proxy, errno == nil ? .lost : .reset, code: errno.map { Int($0) })
    }
  }

  private init(_ failure: TLSFailure) {
    switch failure {
    case .untrusted(let distrust): self.init(.tls, .certificate, "\(distrust.cause)")
    case .wrongName(let host, _): self.init(.tls, .certificate, "not for \(host)")
    case .pinMismatch: self.init(.tls, .certificate, "another public key than --pin")
    case .notTLS: self.init(.tls, .other, "the peer does not speak TLS")
    case .closed: self.init(.tls, .lost)
    case .alert(let alert, _): self.init(.tls, .other, code: alert.rawValue.asInt, alert.name)
    case .version: self.init(.tls, .other, "a version that was not offered")
    case .protocolChosen(let name): self.init(.tls, .other, "ALPN: \(name)")
    case .renegotiation: self.init(.tls, .other, "the server asks to renegotiate")
    case .handshake(let reason), .configuration(let reason), .clientCertificate(let reason):
      self.init(.tls, .other, reason)
    }
  }

  private static func phase(_ phase: ConnectError.Phase) -> ErrorTally.Phase {
    switch phase {
    case .resolve: .resolve
    case .connect: .tcp
    case .proxy: .proxy
    case .tls: .tls
    case .upgrade: .upgrade
    }
  }

  private static func `class`(errno: Int32?) -> ErrorTally.Class {
    switch errno {
    case ECONNREFUSED: .refused
    case ECONNRESET, EPIPE: .reset
    // An attempt without an errno ended by the connect timer of the transport.
    case ETIMEDOUT, nil: .timeout
    case EADDRNOTAVAIL, EADDRINUSE: .ports
    case EMFILE, ENFILE: .files
    default: .other
    }
  }

  // MARK: Opened and lost

  /// Classifies the end of an open connection; nil if it was closed as intended.
  ///
  /// - Parameters:
  ///   - outcome: How the connection ended.
  ///   - isClosing: Whether this side has sent its close frame.
  init?(_ outcome: CloseOutcome, isClosing: Bool) {
    let phase: ErrorTally.Phase = isClosing ? .closing : .open
    switch outcome {
    case .closed(_, by: .us):
      return nil
    case .closed(let frame, by: .peer):
      // Both sides closed at the same time, which is not a failure.
      if isClosing { return nil }
      self.init(
        phase, .closed, code: Int(frame.reportedCode.rawValue),
        frame.reason.isEmpty ? nil : frame.reason)
    case .failed(let violation):
      if violation.isOverOwnLimit {
        self.init(phase, .tooBig, violation.reason)
      } else {
        self.init(phase, .violation, violation.reason)
      }
    case .lost(let end):
      self.init(end, phase)
    }
  }

  private init(_ end: TransportEnd, _ phase: ErrorTally.Phase) {
    switch end {
    case .endOfStream, .abandoned: self.init(phase, .lost)
    case .reset(0): self.init(phase, .lost)
    case .reset(let errno):
      self.init(
        phase, errno == ETIMEDOUT ? .timeout : .reset, code: Int(errno),
        String(cString: strerror(errno)))
    case .timedOut: self.init(phase, .timeout)
    }
  }
}

extension CloseTally {
  /// Counts the end of one connection.
  mutating func record(_ outcome: CloseOutcome) {
    switch outcome {
    case .closed(let frame, let initiator):
      record(code: Int(frame.reportedCode.rawValue), by: initiator == .us ? .ours : .peer)
    case .failed(let violation):
      record(code: Int(violation.closeCode.rawValue), by: .ours)
    case .lost(.abandoned), .lost(.timedOut):
      record(code: Int(CloseCode.abnormal.rawValue), by: .ours)
    case .lost:
      record(code: Int(CloseCode.abnormal.rawValue), by: .peer)
    }
  }
}
