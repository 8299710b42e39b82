import NIOHTTP1
import WebSocketNIO
import WebSocketProtocol

/// The decision on a request.
enum RequestVerdict: Sendable {
  case upgrade(AcceptableUpgrade)
  /// Reply with the page for browsers.
  case page
  /// Reply to a request that is not an upgrade.
  case reply(HTTPReply)
  /// Reply with the metrics.
  case metrics
  /// Answer a request under `/t/` or `/_/`.
  case answer(HTTPAnswer)
  /// The body is published.
  case publish(Publication)
  /// The client receives an event stream.
  case subscribe(EventStreamRequest)
  /// A test path rejects the upgrade, as it is there for.
  case reject(HTTPReplyText, path: String)
  case refuse(Refusal)
}

/// An upgrade that can be accepted if a client slot is free.
struct AcceptableUpgrade: Sendable {
  /// nil for an event stream.
  var request: ServerHandshake.Request?
  var target: RequestTarget
  var subprotocol: String?
  var deflate: DeflateParameters?
  /// The behaviour and settings of the connection.
  var connection: PathConnection
  /// The faults that the URL requests.
  var faults: [FaultRule]
  /// Fields of the reply besides those of the handshake.
  var fields: [(name: String, value: String)] = []
  /// How an event stream is written.
  var streamForm = EventStreamForm.standard
}

/// A rejected request: the reply, whose explanation is also logged.
struct Refusal: Error, Sendable {
  var status: HTTPResponseStatus
  /// One sentence.
  var explanation: String
  var fields: [(String, String)]
  /// Whether the rules for Host and Origin reject the request.
  var isForOrigin = false

  init(
    _ status: HTTPResponseStatus, _ explanation: String, fields: [(String, String)] = []
  ) {
    self.status = status
    self.explanation = explanation
    self.fields = fields
  }

  /// Reports the refusal of a request.
  ///
  /// - Returns: Its reply.
  func answer(
    _ request: HTTPRequest, _ report: @Sendable (ServerEvent) -> Void
  ) -> HTTPAnswer {
    .reply(reply(request, report))
  }

  /// As above.
  func reply(_ request: HTTPRequest, _ report: @Sendable (ServerEvent) -> Void) -> HTTPReply {
    report(.refused(from: request.remoteAddress, status: status, explanation: explanation))
    return HTTPReply(status, text: explanation, headers: fields)
  }
}
