import Conversation
import NIOCore
import NIOHTTP1
import TestServer
import WebSocketProtocol

/// The lines of `listen --format jsonl`, from the events of the server.
struct ServerJSONLines: Sendable {
  /// The time from which `t` is counted.
  let start: NIODeadline

  /// The first line.
  func listening(urls: [String], behaviour: String, seed: UInt64?) -> [UInt8] {
    line(.listening(urls: urls, behaviour: behaviour, seed: seed), .now())
  }

  /// - Returns: nil for an event that has no line.
  func line(_ event: ServerEvent, at time: NIODeadline) -> [UInt8]? {
    switch event {
    case .opened(let client, let from, let info):
      lines(client).line(Self.opened(info, from), time)
    case .message(let client, let message): lines(client).line(Self.what(.incoming, message), time)
    case .sent(let client, let message): lines(client).line(Self.what(.outgoing, message), time)
    case .ping(let client, let payload): lines(client).ping(.incoming, payload, time: time)
    case .pong(let client, let payload): lines(client).pong(.incoming, payload, time: time)
    case .script(let client, let summary):
      lines(client).line(.script(failure: Self.failure(summary)), time)
    case .fault(let client, let fault):
      lines(client).line(.fault(kind: String(fault.prefix { $0 != "=" && $0 != "," })), time)
    case .linted(let client, let counts): lines(client).linted(counts, time: time)
    case .closed(let client, let summary): lines(client).ended(summary.outcome, time: time)
    case .refused(let from, let status, let explanation):
      line(Self.rejected(status, explanation, from), time)
    case .malformed(let from, let status, let problem):
      line(Self.rejected(status, ServerLog.text(problem), from), time)
    case .program(let client, .ended(let end, _)): line(Self.ended(end), time, client)
    case .program(let client, .errorLine(let text)):
      line(.programError(text: text), time, client)
    case .published(let publication, let message, let delivered):
      line(Self.published(publication, message, delivered), time)
    case .program(_, .silent), .rejectedByScript, .ruleSkipped, .dropped, .pingFlood,
      .acceptFailed, .more:
      nil
    }
  }

  /// Whether an event is a warning, which goes to standard error.
  static func isWarning(_ event: ServerEvent) -> Bool {
    switch event {
    case .ruleSkipped, .dropped, .pingFlood, .acceptFailed, .program(_, .silent): true
    default: false
    }
  }

  private func lines(_ client: Int) -> JSONLines { JSONLines(start: start, connection: client) }

  /// The line of an event of a client, or of the server.
  private func line(
    _ what: SessionEvent.What, _ time: NIODeadline, _ client: Int? = nil
  ) -> [UInt8] {
    SessionEvent(time: (time - start).nanoseconds, connection: client, what).line
  }

  private static func ended(_ end: ProgramEnd) -> SessionEvent.What {
    if case .exited(let status) = end {
      .programEnded(status: Int(status), signal: nil)
    } else {
      .programEnded(status: nil, signal: end.signalName)
    }
  }

  private static func opened(_ info: ClientInfo, _ from: SocketAddress?) -> SessionEvent.What {
    .open(
      status: info.status,
      subprotocol: info.subprotocol.map(Redaction.subprotocols), extensions: info.extensions,
      tls: nil,
      client: SessionEvent.Client(
        path: Redaction.url(info.target), from: text(from), subject: info.certificateSubject))
  }

  private static func what(
    _ direction: SessionEvent.Direction, _ message: MessageSummary
  ) -> SessionEvent.What {
    .message(
      direction, message.kind, message.preview, wire: nil,
      SessionEvent.Handling(rule: message.note.rule, fault: message.note.fault))
  }

  private static func published(
    _ publication: Publication, _ message: MessageSummary, _ delivered: Int
  ) -> SessionEvent.What {
    .published(
      message.kind, message.preview,
      SessionEvent.Client(path: Redaction.url(publication.target), from: text(publication.from)),
      delivered: delivered)
  }

  private static func rejected(
    _ status: HTTPResponseStatus?, _ reason: String, _ from: SocketAddress?
  ) -> SessionEvent.What {
    .rejected(status: status.map { Int($0.code) }, reason: reason, from: text(from))
  }

  private static func failure(_ summary: ScriptSummary) -> SessionEvent.ScriptFailure? {
    guard case .failed(let report) = summary.result else { return nil }
    let step = summary.script.steps[report.index]
    return SessionEvent.ScriptFailure(
      line: step.line, step: step.text, got: report.failure.map(ScriptFailureText.got) ?? "")
  }

  /// nil for a client of a unix socket, which has no name.
  static func text(_ address: SocketAddress?) -> String? {
    let text = Diagnostician.text(address)
    return text.isEmpty ? nil : text
  }
}
