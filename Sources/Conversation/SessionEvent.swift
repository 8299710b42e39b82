package import WebSocketProtocol

/// One line of JSON Lines (PRODUCT 1.4): an event on a connection, and its time. The schema is in
/// `Resources/session.schema.json`; `--format jsonl` and every recording consist of these lines.
package struct SessionEvent: Sendable {
  /// The direction, from our point of view.
  package enum Direction: String, Sendable {
    case incoming = "in"
    case outgoing = "out"
  }

  package enum What: Sendable {
    /// The first line of a recording: the URL, and the start time (RFC 3339, UTC). After this line,
    /// a reader resends only messages that were sent.
    case record(url: String, started: String)
    /// `client` is the request as a server sees it.
    case open(
      status: Int, subprotocol: String?, extensions: [String], tls: TLS?, timings: [Phase] = [],
      client: Client? = nil)
    /// The first line of a server: its URLs, what answers a connection, and the seed of its faults.
    case listening(urls: [String], behaviour: String, seed: UInt64?)
    /// A message that a request published on a server, and the number of clients that it was sent to.
    case published(MessageKind, [UInt8], Client, delivered: Int)
    /// A server rejected a request; the status is nil if it sent no reply.
    case rejected(status: Int?, reason: String, from: String?)
    /// The server answered with HTTP, but did not upgrade. Values of fields that hold secrets are
    /// replaced.
    case refused(status: Int, reason: String, fields: [(name: String, value: String)], body: String)
    /// `wire` is the size including frame headers in bytes, if known.
    case message(Direction, MessageKind, [UInt8], wire: Int?, Handling = Handling())
    case ping(Direction, [UInt8])
    case pong(Direction, [UInt8])
    case close(Direction, CloseCode, reason: String, isClean: Bool)
    /// The oddities in the peer's frames.
    case lint([Finding])
    /// A fault acts on the connection from now on.
    case fault(kind: String)
    /// The process of the connection, or of a server, has ended: with a status or by a signal.
    case programEnded(status: Int?, signal: String?)
    /// A line of the standard error of that process.
    case programError(text: String)
    /// The script of the connection has ended; nil if it succeeded.
    case script(failure: ScriptFailure?)
  }

  /// The request of a server's client.
  package struct Client: Sendable {
    /// The path and query; secrets are replaced.
    package var path: String
    /// The address and port; nil on a unix socket.
    package var from: String?
    /// The subject of its certificate; nil if clients need none.
    package var subject: String?

    package init(path: String, from: String?, subject: String? = nil) {
      self.path = path
      self.from = from
      self.subject = subject
    }
  }

  /// How a server handled a message.
  package struct Handling: Sendable {
    /// The name of the rule that took or sent it.
    package var rule: String?
    /// The fault that changed it.
    package var fault: String?

    package init(rule: String? = nil, fault: String? = nil) {
      self.rule = rule
      self.fault = fault
    }
  }

  /// The step at which a script failed.
  package struct ScriptFailure: Sendable {
    /// The line of the file, from 1.
    package var line: Int
    package var step: String
    /// What happened in place of what was expected.
    package var got: String

    package init(line: Int, step: String, got: String) {
      self.line = line
      self.step = step
      self.got = got
    }
  }

  /// The result of the TLS handshake.
  package struct TLS: Sendable {
    /// In OpenSSL's notation, such as `TLSv1.3`.
    package var version: String
    package var cipher: String?
    /// The protocol that ALPN selected.
    package var applicationProtocol: String?
    package var certificate: Certificate?

    package init(
      version: String, cipher: String? = nil, applicationProtocol: String? = nil,
      certificate: Certificate? = nil
    ) {
      self.version = version
      self.cipher = cipher
      self.applicationProtocol = applicationProtocol
      self.certificate = certificate
    }
  }

  /// The server's certificate.
  package struct Certificate: Sendable {
    package var subject: String
    package var issuer: String
    package var names: [String]
    /// RFC 3339, UTC.
    package var notBefore: String
    package var notAfter: String
    package var fingerprint: String
    package var pin: String?

    package init(
      subject: String, issuer: String, names: [String], notBefore: String, notAfter: String,
      fingerprint: String, pin: String?
    ) {
      self.subject = subject
      self.issuer = issuer
      self.names = names
      self.notBefore = notBefore
      self.notAfter = notAfter
      self.fingerprint = fingerprint
      self.pin = pin
    }
  }

  /// An oddity, the section of RFC 6455 that covers it, and the number of occurrences.
  package struct Finding: Sendable {
    package var name: String
    package var section: String
    package var count: Int

    package init(name: String, section: String, count: Int) {
      self.name = name
      self.section = section
      self.count = count
    }
  }

  /// A phase of the opening and its duration in ns.
  package struct Phase: Sendable {
    package var name: String
    package var duration: Int64

    package init(_ name: String, _ duration: Int64) {
      self.name = name
      self.duration = duration
    }
  }

  /// Time since the start of the session in ns.
  package var time: Int64
  /// The number of the connection: 1 for a client's first one; nil for an event of the server.
  package var connection: Int?
  package var what: What

  package init(time: Int64, connection: Int?, _ what: What) {
    self.time = time
    self.connection = connection
    self.what = what
  }

  /// The line, with its newline.
  package var line: [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.member("v", 1)
      // Four decimals, tenths of a millisecond, as in the schema; more would be noise.
      json.member("t", Double(max(time, 0) / 100_000) / 10_000)
      if let connection { json.member("conn", connection) }
      write(to: &json)
    }
    json.startLine()
    return json.bytes
  }

  private func write(to json: inout JSONWriter) {
    switch what {
    case .record(let url, let started):
      json.member("event", "record")
      json.member("url", url)
      json.member("started", started)
    case .open(let status, let subprotocol, let extensions, let tls, let timings, let client):
      json.member("event", "open")
      json.member("status", status)
      json.member("subprotocol", subprotocol)
      json.member("extensions", array: extensions) { json, name in json.string(name) }
      if let tls { write(tls, to: &json) }
      if !timings.isEmpty {
        json.member(
          "timings",
          object: { json in
            for phase in timings {
              json.member(phase.name, Double(phase.duration / 1000) / 1_000_000)
            }
          })
      }
      if let client {
        json.member("path", client.path)
        if let from = client.from { json.member("from", from) }
        if let subject = client.subject { json.member("subject", subject) }
      }
    case .listening(let urls, let behaviour, let seed):
      json.member("event", "listening")
      json.member("role", "server")
      json.member("urls", array: urls) { json, url in json.string(url) }
      json.member("behaviour", behaviour)
      if let seed { json.member("seed", seed) }
    case .rejected(let status, let reason, let from):
      json.member("event", "refused")
      if let status { json.member("status", status) }
      json.member("reason", reason)
      if let from { json.member("from", from) }
    case .refused(let status, let reason, let fields, let body):
      json.member("event", "refused")
      json.member("status", status)
      json.member("reason", reason)
      json.member("headers", array: fields) { json, field in
        json.array([field.name, field.value]) { $0.string($1) }
      }
      json.member("body", body)
    case .message(let direction, let kind, let payload, let wire, let handling):
      json.member("event", "message")
      json.member("dir", direction.rawValue)
      write(kind, payload, wire: wire, to: &json)
      if let rule = handling.rule { json.member("rule", rule) }
      if let fault = handling.fault { json.member("fault", fault) }
    case .published(let kind, let payload, let client, let delivered):
      json.member("event", "published")
      write(kind, payload, wire: nil, to: &json)
      json.member("path", client.path)
      if let from = client.from { json.member("from", from) }
      json.member("delivered", delivered)
    case .ping(let direction, let payload): control("ping", direction, payload, &json)
    case .pong(let direction, let payload): control("pong", direction, payload, &json)
    case .close(let direction, let code, let reason, let isClean):
      json.member("event", "close")
      json.member("dir", direction.rawValue)
      json.member("code", code.rawValue)
      json.member("name", code.name)
      json.member("reason", reason)
      json.member("clean", isClean)
    case .fault(let kind):
      json.member("event", "fault")
      json.member("kind", kind)
    case .programEnded(let status, let signal):
      json.member("event", "exec")
      if let status { json.member("status", status) }
      if let signal { json.member("signal", signal) }
    case .programError(let text):
      json.member("event", "stderr")
      json.member("text", text)
    case .script(let failure):
      json.member("event", "script")
      json.member("ok", failure == nil)
      if let failure {
        json.member("line", failure.line)
        json.member("step", failure.step)
        json.member("got", failure.got)
      }
    case .lint(let findings):
      json.member("event", "lint")
      json.member("findings", array: findings) { json, finding in
        json.object { json in
          json.member("name", finding.name)
          json.member("section", finding.section)
          json.member("count", finding.count)
        }
      }
    }
  }

  private func write(
    _ kind: MessageKind, _ payload: [UInt8], wire: Int?, to json: inout JSONWriter
  ) {
    json.member("type", kind == .text ? "text" : "binary")
    json.member("size", payload.count)
    if let wire { json.member("wire", wire) }
    switch kind {
    case .text: json.member("text", String(decoding: payload, as: UTF8.self))
    case .binary: json.member("base64", Self.base64(payload))
    }
  }

  private func write(_ tls: TLS, to json: inout JSONWriter) {
    json.member("tls", tls.version)
    if let cipher = tls.cipher { json.member("cipher", cipher) }
    if let name = tls.applicationProtocol { json.member("alpn", name) }
    guard let certificate = tls.certificate else { return }
    json.member(
      "certificate",
      object: { json in
        json.member("subject", certificate.subject)
        json.member("issuer", certificate.issuer)
        json.member("names", array: certificate.names) { json, name in json.string(name) }
        json.member("not_before", certificate.notBefore)
        json.member("not_after", certificate.notAfter)
        json.member("sha256", certificate.fingerprint)
        if let pin = certificate.pin { json.member("pin", pin) }
      })
  }

  private func control(
    _ name: String, _ direction: Direction, _ payload: [UInt8], _ json: inout JSONWriter
  ) {
    json.member("event", name)
    json.member("dir", direction.rawValue)
    json.member("size", payload.count)
    json.member("base64", Self.base64(payload))
  }

  private static func base64(_ bytes: [UInt8]) -> String {
    bytes.withUnsafeBytes { Base64.encode($0) }
  }

  /// The JSON Schema of the lines.
  package static var schema: [UInt8] { PackageResources.session_schema_json }
}
