import Conversation
import NIOCore
import NIOHTTP1
import WebSocketNIO
import WebSocketProtocol

/// The lines of `--format jsonl` and of recordings, from the events of a connection.
struct JSONLines {
  /// The time from which `t` is counted.
  let start: NIODeadline
  /// The number of the connection.
  var connection = 1

  func recording(url: String, started: String) -> [UInt8] {
    line(.record(url: url, started: started), .now())
  }

  func opened(_ info: HandshakeInfo) -> [UInt8] {
    let extensions = [info.deflate?.text].compactMap { $0 }
    return line(
      .open(
        status: Int(info.status.code), subprotocol: info.subprotocol, extensions: extensions,
        tls: info.tls.map(Self.session), timings: HandshakeText.phases(info.timings)),
      .now())
  }

  func refused(_ refusal: HTTPRefusal, _ showsSecrets: Bool) -> [UInt8] {
    let fields = refusal.head.headers.map { name, value in
      (name: name, value: Redaction.value(value, of: name, showsSecrets: showsSecrets))
    }
    return line(
      .refused(
        status: Int(refusal.head.status.code), reason: refusal.head.status.reasonPhrase,
        fields: fields, body: RefusalText.text(of: refusal)),
      .now())
  }

  private static func session(_ tls: TLSFacts) -> SessionEvent.TLS {
    SessionEvent.TLS(
      version: tls.version.name, cipher: tls.cipher, applicationProtocol: tls.applicationProtocol,
      certificate: tls.certificate.map { certificate in
        SessionEvent.Certificate(
          subject: certificate.subject, issuer: certificate.issuer,
          names: certificate.names.map(\.value),
          notBefore: UTCTime.text(second: certificate.notBefore),
          notAfter: UTCTime.text(second: certificate.notAfter),
          fingerprint: CertificateText.hex(certificate.fingerprint, separator: "").lowercased(),
          pin: certificate.pin.map { "\($0)" })
      })
  }

  func received(_ kind: MessageKind, _ payload: ByteBuffer, wire: Int, time: NIODeadline) -> [UInt8]
  {
    line(.message(.incoming, kind, Array(payload.readableBytesView), wire: wire), time)
  }

  func sent(_ message: OutgoingMessage) -> [UInt8] {
    line(.message(.outgoing, message.kind, message.payload, wire: nil), .now())
  }

  func ping(
    _ direction: SessionEvent.Direction, _ payload: [UInt8], time: NIODeadline = .now()
  ) -> [UInt8] {
    line(.ping(direction, payload), time)
  }

  func pong(
    _ direction: SessionEvent.Direction, _ payload: [UInt8], time: NIODeadline = .now()
  ) -> [UInt8] {
    line(.pong(direction, payload), time)
  }

  func linted(_ counts: [Oddity: Int], time: NIODeadline = .now()) -> [UInt8] {
    let findings = Oddity.allCases.compactMap { oddity in
      counts[oddity].map {
        SessionEvent.Finding(name: LintText.name(oddity), section: oddity.section, count: $0)
      }
    }
    return line(.lint(findings), time)
  }

  func ended(_ outcome: CloseOutcome, time: NIODeadline = .now()) -> [UInt8] {
    let what: SessionEvent.What =
      switch outcome {
      case .closed(let frame, let initiator):
        .close(
          initiator == .peer ? .incoming : .outgoing, frame.reportedCode, reason: frame.reason,
          isClean: true)
      case .failed(let violation):
        .close(.outgoing, violation.closeCode, reason: violation.reason, isClean: false)
      case .lost(let end):
        .close(.incoming, .abnormal, reason: CloseText.message(end), isClean: false)
      }
    return line(what, time)
  }

  func line(_ what: SessionEvent.What, _ time: NIODeadline) -> [UInt8] {
    SessionEvent(time: (time - start).nanoseconds, connection: connection, what).line
  }
}
