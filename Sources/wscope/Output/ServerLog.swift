import Conversation
import Glibc
import NIOCore
import NIOHTTP1
import Terminal
import TestServer
import WebSocketNIO
import WebSocketProtocol

/// What the user wants to see in the log of `listen`.
struct ServerLogLook: Sendable {
  /// Whether only rejected requests and errors are logged.
  var isQuiet = false
  var timestamps: MessageStamps.Kind?
  /// Whether JSON messages are pretty-printed.
  var indentsJSON = false
}

/// The log of `listen`: one line per event. Untrusted text is escaped even in a file: a newline in
/// it would forge an event. The further lines of pretty-printed JSON are indented.
struct ServerLog {
  let style: Style
  /// The name of the script that the connections run.
  private let scriptName: String
  private let indentsJSON: Bool
  private var stamps: MessageStamps?

  /// JSON longer than this, in bytes, is not pretty-printed.
  static let maxIndented = ControlCharacters.displayLimit
  private static let maxTextBytes = 256

  /// - Parameters:
  ///   - style: The style of standard error.
  ///   - look: What the user wants to see.
  ///   - scriptName: The name of the script that the connections run.
  ///   - start: The start of the server on the monotonic clock.
  ///   - startOfClock: The same on the wall clock, in ns since 1970.
  init(
    _ style: Style, _ look: ServerLogLook, scriptName: String, start: NIODeadline,
    startOfClock: Int64
  ) {
    self.style = style
    self.scriptName = scriptName
    indentsJSON = look.indentsJSON
    stamps = look.timestamps.map { MessageStamps($0, start: start, startOfClock: startOfClock) }
  }

  /// The line of an event, with its timestamp.
  ///
  /// - Returns: nil for an event that another one has reported already.
  mutating func line(_ event: ServerEvent, at time: NIODeadline) -> String? {
    guard let line = line(event) else { return nil }
    guard let stamp = stamps?.text(time) else { return line }
    return style(.dim, stamp) + " " + line
  }

  private func line(_ event: ServerEvent) -> String? {
    switch event {
    case .opened(let client, let from, let info):
      let version = info.isHTTP2 ? ", HTTP/2" : ""
      let offered =
        info.subprotocol.map { ", subprotocol \(safe(Redaction.subprotocols($0)))" } ?? ""
      let stream = info.isEventStream ? " (sse)" : ""
      return "\(mark(client)) open   \(safe(Redaction.url(info.target)))\(stream) from "
        + "\(origin(from))"
        + "\(version)\(offered)"
        + (info.certificateSubject.map { ", certificate \(safe($0))" } ?? "")
    case .message(let client, let message):
      return "\(mark(client)) \(style(.cyan, "<")) \(text(message))"
    case .sent(let client, let message):
      return "\(mark(client)) \(style(.green, ">")) \(text(message))"
    case .ping(let client, let payload):
      return "\(mark(client)) \(style(.cyan, "<")) ping \(Figures.bytes(payload.count))"
    case .pong(let client, let payload):
      return "\(mark(client)) \(style(.cyan, "<")) pong \(Figures.bytes(payload.count))"
    case .script(let client, let summary):
      return "\(mark(client)) \(text(summary))"
    case .ruleSkipped(let client, let rule, let bytes):
      return
        "\(mark(client)) \(style(.yellow, "!")) rule \(rule): the regular expression takes too many "
        + "steps on a message of \(Figures.bytes(bytes)); rule skipped"
    case .closed(let client, let summary):
      let circumstances = CloseCircumstances(
        subprotocol: summary.subprotocol, idle: summary.idle.nanoseconds)
      let traffic = summary.traffic
      let end =
        if summary.isEventStream, case .closed(_, by: .peer) = summary.outcome {
          "left"
        } else {
          CloseText.line(summary.outcome, circumstances)
        }
      return
        "\(mark(client)) \(end)   "
        + "\(Figures.count(Int(clamping: traffic.messagesIn))) in, "
        + "\(Figures.count(Int(clamping: traffic.messagesOut))) out, "
        + Figures.duration(summary.duration.nanoseconds)
    case .published(let publication, let message, let delivered):
      return "\(publication.method) \(safe(Redaction.url(publication.target))) from "
        + "\(origin(publication.from)): \(text(message))   to \(Figures.count(delivered)) "
        + (delivered == 1 ? "client" : "clients")
    case .program(let client, let event):
      return (client.map { mark($0) + " " } ?? "") + text(event)
    case .rejectedByScript: return nil
    case .fault(let client, let fault):
      return "\(mark(client)) fault \(safe(fault))"
    case .dropped(let client, let messages):
      return
        "\(mark(client)) \(style(.yellow, "!")) slow consumer: \(Figures.count(messages)) messages dropped"
    case .pingFlood(let client):
      return "\(mark(client)) \(style(.yellow, "!")) ping flood: over 1 000 pings in a second; "
        + "further ones are answered and not reported"
    case .linted(let client, let counts):
      return "\(mark(client)) * \(LintText.line(counts))"
    case .refused(let from, let status, let explanation):
      let reply = status.map { "\($0.code) to" } ?? "closed"
      return style(.yellow, "!") + " \(reply) \(origin(from)): \(safe(explanation))"
    case .malformed(let from, _, .clientCertificate(let distrust)):
      return style(.yellow, "!") + " TLS from \(origin(from)): \(safe(Self.text(distrust)))"
    case .malformed(let from, let status, let problem):
      let reply = status.map { "\($0.code) to " } ?? "closed "
      return style(.yellow, "!") + " \(reply)\(origin(from)): \(safe(Self.text(problem)))"
    case .acceptFailed(let code):
      return style(.yellow, "!")
        + " cannot accept more clients for now: \(SystemError(code: code).reason)"
        + (code == EMFILE ? "; raise the limit of open files: ulimit -n" : "")
    case .more(let messages):
      return style(.dim, "* \(Figures.count(Int(clamping: messages))) more messages this second")
    }
  }

  /// Why the certificate of a client is not accepted; nil if it has none.
  private static func text(_ distrust: Distrust?) -> String {
    guard let distrust else { return "no client certificate" }
    let certificate = distrust.certificate
    let what =
      switch distrust.cause {
      case .expired: "has expired: it was valid until \(CertificateText.date(certificate.notAfter))"
      case .notYetValid: "is valid only from \(CertificateText.date(certificate.notBefore))"
      case .selfSigned: "is not trusted: it is self-signed"
      case .wrongPurpose: "is not for client authentication"
      case .unknownAuthority, .unknownIssuer, .missingIntermediate, .other:
        "is not trusted: its issuer is \(certificate.issuer)"
      }
    return "the client certificate \(certificate.subject) \(what)"
  }

  static func text(_ problem: MalformedRequest) -> String {
    switch problem {
    case .tlsHello: "the client speaks TLS, this port does not; --tls serves wss"
    case .plainHTTP: "the client speaks plain HTTP, this port TLS; without --tls it serves ws"
    case .tlsFailed(let reason):
      "the TLS handshake failed: \(reason); does the client trust the certificate?"
    case .clientCertificate(let distrust): text(distrust)
    case .http2Preface: "the client speaks HTTP/2; --http2 accepts it"
    case .headTooLarge(let limits):
      "the request head is over \(Figures.bytes(limits.head)), \(Figures.bytes(limits.line)) a line or "
        + "\(limits.fields) fields; --max-head SIZE raises the limit"
    case .timedOut(let isEmpty):
      isEmpty
        ? "no request came within the time limit"
        : "no complete request head came within the time limit"
    case .bareLineFeed(let line):
      "line \(line) of the request ends in LF; HTTP/1.1 lines end in CR LF (RFC 9112 section 2.2)"
    case .body(.tooLarge(let limit)):
      "the request body is over \(Figures.bytes(limit)); --max-message SIZE raises the limit"
    case .body(let problem): problem.explanation
    case .notHTTP(let received):
      "not a valid HTTP/1.1 request: "
        + "\"\(ControlCharacters.escaped(Array(received.prefix { $0 != 0x0A && $0 != 0x0D }.prefix(80)), keepingNewlines: false, highlight: false))\""
    }
  }

  /// A client of a Unix socket has no name.
  private func origin(_ address: SocketAddress?) -> String {
    let text = Diagnostician.text(address)
    return text.isEmpty ? "the unix socket" : text
  }

  private func mark(_ client: Int) -> String { style(.bold, "#\(client)") }

  private func text(_ message: MessageSummary) -> String {
    let kind = message.kind == .text ? "text" : "binary"
    let notes = text(message.note)
    let shown: String
    switch message.kind {
    case .text:
      if indentsJSON, message.preview.count == message.size,
        let json = JSONText(style: style).indented(message.preview)
      {
        return "\(kind) \(Figures.bytes(message.size))\(notes)\n  "
          + json.text.split(separator: "\n", omittingEmptySubsequences: false)
          .joined(separator: "\n  ") + (json.isCut ? "\n  ... and more" : "")
      }
      // The preview may end inside a character; the incomplete character is cut off.
      let whole = message.size <= Self.maxTextBytes
      let text = String(decoding: message.preview.prefix(Self.maxTextBytes), as: UTF8.self)
      let cut = whole ? text : String(text.prefix(100)) + "..."
      shown = safe(cut)
    case .binary:
      let hex = message.preview.prefix(24).map { byte in
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
      }
      shown = hex.joined(separator: " ") + (message.size > 24 ? " ..." : "")
    }
    return "\(kind) \(Figures.bytes(message.size))  \(shown)\(notes)"
  }

  private func text(_ note: MessageNote) -> String {
    (note.rule.map { "   rule \($0)" } ?? "") + (note.isUnmatched ? "   (no rule)" : "")
      + (note.fault.map { "   fault \(safe($0))" } ?? "")
  }

  private func text(_ summary: ScriptSummary) -> String {
    switch summary.result {
    case .done:
      let steps = summary.script.steps.count
      return "script ok      \(safe(scriptName))  \(steps == 1 ? "1 step" : "\(steps) steps"), "
        + Figures.duration(summary.duration)
    case .failed(let report):
      let step = summary.script.steps[report.index]
      let got = report.failure.map(ScriptFailureText.got) ?? ""
      return
        "\(style(.red, "script failed"))  \(safe(scriptName)):\(step.line)  \(safe(step.text))   "
        + "got \(safe(got))"
    }
  }

  private func text(_ event: ProgramEvent) -> String {
    switch event {
    case .ended(let end, let duration):
      let mark = end.isSuccess ? "" : style(.yellow, "!") + " "
      return "\(mark)exec \(safe(end.text)), \(Figures.duration(duration.nanoseconds))"
    case .errorLine(let line): return "stderr \(safe(line))"
    case .silent(let program):
      return "* \(safe(program)) has written nothing: programs buffer output to a pipe; "
        + "try --exec-pty, stdbuf -oL, python -u"
    }
  }

  private func safe(_ text: String) -> String {
    ControlCharacters.escaped(text, keepingNewlines: false, highlight: false)
  }
}
