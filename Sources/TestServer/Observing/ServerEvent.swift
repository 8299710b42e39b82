package import NIOCore
package import NIOHTTP1
package import WebSocketNIO
package import WebSocketProtocol

/// What a test server reports. It prints nothing itself.
package enum ServerEvent: Sendable {
  case opened(client: Int, from: SocketAddress?, ClientInfo)
  case message(client: Int, MessageSummary)
  /// A script has sent a message.
  case sent(client: Int, MessageSummary)
  /// The script of a client is over; comes before its `closed`.
  case script(client: Int, ScriptSummary)
  /// A `status` step of the script rejected an upgrade, which counts as a client; a `refused` comes before it.
  case rejectedByScript(client: Int)
  /// The regular expression of a rule took too many steps on a message of so many bytes.
  case ruleSkipped(client: Int, rule: String, bytes: Int)
  case closed(client: Int, ClientSummary)
  /// A message was published by HTTP, and sent to so many clients.
  case published(Publication, MessageSummary, delivered: Int)
  /// A client that was too slow did not get so many messages.
  case dropped(client: Int, messages: Int)
  /// What was odd in the frames of a client, all counted; comes right before its `closed`.
  case linted(client: Int, [Oddity: Int])
  /// Requests that were refused, and pages that were served are not events.
  case refused(from: SocketAddress?, status: HTTPResponseStatus, explanation: String)
  /// Something else came than a request that can be answered; nil for the status if there was no reply.
  case malformed(from: SocketAddress?, status: HTTPResponseStatus?, MalformedRequest)
  /// No other connection can be accepted for now; `errno` says why.
  case acceptFailed(errno: Int32)
  /// A fault acts on this client from now on; the text is as it was typed, in the URL perhaps.
  case fault(client: Int, String)
  /// Messages that were not reported one by one, since more came than a person can read.
  case more(messages: UInt64)
}

/// As much of a message as a log line shows.
package struct MessageSummary: Sendable {
  package var kind: MessageKind
  /// Bytes.
  package var size: Int
  /// The first bytes of it, at most `previewLength`.
  package var preview: [UInt8]
  /// What became of it, as in `rule 7`.
  package var note: String?

  static let previewLength = 256

  init(_ kind: MessageKind, _ payload: UnsafeRawBufferPointer) {
    self.kind = kind
    size = payload.count
    preview = Array(payload.prefix(Self.previewLength))
  }
}
