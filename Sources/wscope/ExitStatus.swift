import WebSocketNIO
import WebSocketProtocol

/// The exit codes: those of curl where one exists. A test compares them with the table in the man
/// pages.
enum ExitStatus: Int32, CaseIterable, Error {
  case ok = 0
  case expectationFailed = 1
  case usage = 2
  case badURL = 3
  case proxyNotResolved = 5
  case hostNotResolved = 6
  case connectFailed = 7
  case invalidHandshake = 8
  case upgradeRefused = 22
  case outputFailed = 23
  case timeout = 28
  case tlsFailed = 35
  case cannotListen = 45
  case tooManyRedirects = 47
  case closedBeforeReply = 52
  case connectionLost = 56
  case clientCertificateUnusable = 58
  case certificateNotTrusted = 60
  case messageTooLarge = 63
  case pinMismatch = 90
  case proxyFailed = 97
  case measurementInvalid = 98
  case thresholdBroken = 99
  case protocolViolation = 110
  case unexpectedCloseCode = 111
  case interrupted = 130
  case terminated = 143

  /// The text of the table in the man pages.
  var meaning: String {
    switch self {
    case .ok: "ok, expected close"
    case .expectationFailed: "an expectation failed"
    case .usage: "usage"
    case .badURL: "bad URL"
    case .proxyNotResolved: "proxy name not resolved"
    case .hostNotResolved: "host name not resolved"
    case .connectFailed: "TCP connect failed"
    case .invalidHandshake: "the reply is not a valid WebSocket handshake"
    case .upgradeRefused: "upgrade refused (status is not 101)"
    case .outputFailed: "output could not be written"
    case .timeout: "timeout"
    case .tlsFailed: "TLS handshake failed"
    case .cannotListen: "listen cannot bind (address in use, not permitted)"
    case .tooManyRedirects: "too many redirects"
    case .closedBeforeReply: "TCP closed before the first byte of the HTTP reply"
    case .connectionLost: "connection lost (1006)"
    case .clientCertificateUnusable: "client certificate unusable"
    case .certificateNotTrusted: "certificate not trusted"
    case .messageTooLarge: "a message of the peer is over --max-message"
    case .pinMismatch: "pin mismatch"
    case .proxyFailed: "proxy handshake failed"
    case .measurementInvalid: "a bench measurement is invalid"
    case .thresholdBroken: "a bench threshold was broken"
    case .protocolViolation: "protocol violation by the peer"
    case .unexpectedCloseCode: "peer closed with a code other than 1000, 1001, 1005"
    case .interrupted: "ended by SIGINT"
    case .terminated: "ended by SIGTERM"
    }
  }

  init(_ error: ConnectError) {
    self =
      switch error {
      case .unresolved: .hostNotResolved
      case .unreachable: .connectFailed
      case .tls(let failure): Self(failure)
      case .proxy(let failure): Self(failure)
      case .http2(.notChosen): .tlsFailed
      case .http2: .invalidHandshake
      // Nothing, or an incomplete head, which is an invalid reply.
      case .closedBeforeReply(let received, _):
        received.isEmpty ? .closedBeforeReply : .invalidHandshake
      case .refused: .upgradeRefused
      case .malformedReply, .invalidHandshake: .invalidHandshake
      case .timedOut: .timeout
      case .redirect(.tooMany, _): .tooManyRedirects
      case .redirect(.badProxy, _): .usage
      case .redirect: .upgradeRefused
      }
  }

  init(_ failure: ProxyFailure) {
    self =
      switch failure {
      case .unresolved: .proxyNotResolved
      case .unreachable: .connectFailed
      case .tls(let failure): Self(failure)
      case .refused, .refusedBySOCKS, .malformedReply, .notSOCKS, .closed: .proxyFailed
      }
  }

  init(_ failure: TLSFailure) {
    self =
      switch failure {
      case .untrusted, .wrongName: .certificateNotTrusted
      case .pinMismatch: .pinMismatch
      case .configuration: .usage
      case .clientCertificate: .clientCertificateUnusable
      case .notTLS, .closed, .alert, .version, .protocolChosen, .renegotiation, .handshake:
        .tlsFailed
      }
  }

  init(_ outcome: CloseOutcome) {
    self =
      switch outcome {
      case .closed(let frame, _):
        switch frame.reportedCode {
        case .normal, .goingAway, .noStatus: .ok
        default: .unexpectedCloseCode
        }
      case .failed(let violation):
        violation.isOverOwnLimit ? .messageTooLarge : .protocolViolation
      case .lost(.abandoned): .ok
      case .lost: .connectionLost
      }
  }
}
