package import NIOCore
package import NIOHTTP1
package import WebSocketNIO
package import WebSocketProtocol

/// An event that a test server reports.
package enum ServerEvent: Sendable {
  case opened(client: Int, from: SocketAddress?, ClientInfo)
  case message(client: Int, MessageSummary)
  /// A message has been sent, and perhaps is still queued.
  case sent(client: Int, MessageSummary)
  case ping(client: Int, [UInt8])
  case pong(client: Int, [UInt8])
  /// The script of a client has ended; reported before its `closed`.
  case script(client: Int, ScriptSummary)
  /// A `status` step of the script rejected an upgrade, which counts as a client; reported after a
  /// `refused`.
  case rejectedByScript(client: Int)
  /// The regular expression of a rule took too many steps on a message of this size in bytes.
  case ruleSkipped(client: Int, rule: String, bytes: Int)
  case closed(client: Int, ClientSummary)
  /// Something happened to the process of a client; without a client, to the process that feeds all.
  case program(client: Int?, ProgramEvent)
  /// A message was published by HTTP, and sent to so many clients.
  case published(Publication, MessageSummary, delivered: Int)
  /// A client that was too slow did not get so many messages.
  case dropped(client: Int, messages: Int)
  /// A client has sent more than 1000 pings in a second; reported once.
  case pingFlood(client: Int)
  /// Counts of the oddities in the frames of a client; reported right before its `closed`.
  case linted(client: Int, [Oddity: Int])
  /// A request was rejected; the status is nil if a fault ended the connection without a reply. Pages that are served
  /// are not reported.
  case refused(from: SocketAddress?, status: HTTPResponseStatus?, explanation: String)
  /// Received bytes were not a valid request; the status is nil if no reply was sent.
  case malformed(from: SocketAddress?, status: HTTPResponseStatus?, MalformedRequest)
  /// Accepting a connection failed with this `errno`.
  case acceptFailed(errno: Int32)
  /// A fault acts on this client from now on; the text is as typed, perhaps in the URL.
  case fault(client: Int, String)
  /// Messages that were not reported individually because the log budget was spent.
  case more(messages: UInt64)
}

/// The part of a message that a report has.
package struct MessageSummary: Sendable {
  package var kind: MessageKind
  /// The size of the payload in bytes.
  package var size: Int
  /// The first bytes of the payload, at most `Capture.maxPayload`.
  package var preview: [UInt8]
  package var note: MessageNote

  init(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ capture: Capture,
    _ note: MessageNote = MessageNote()
  ) {
    self.kind = kind
    size = payload.count
    preview = Array(payload.prefix(capture.maxPayload))
    self.note = note
  }
}

/// How a message was handled.
package struct MessageNote: Sendable, Hashable {
  /// The name of the rule that took or sent it.
  package var rule: String?
  /// Whether no rule took it, and nothing else answers.
  package var isUnmatched = false
  /// The faults that changed it, as typed.
  package var fault: String?

  static let none = MessageNote()
  static let unmatched = MessageNote(isUnmatched: true)

}
