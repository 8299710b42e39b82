import NIOHTTP1
import WebSocketNIO

/// How an event stream is written.
enum EventStreamForm: Sendable {
  case standard
  /// With as few bytes as possible, until the connection ends.
  case compact
  /// The same in chunks.
  case compactChunks

  /// The fields of the reply.
  var fields: [(name: String, value: String)] {
    switch self {
    case .standard:
      [
        ("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
      ]
    case .compact: [("Content-Type", "text/event-stream")]
    case .compactChunks:
      [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")]
    }
  }
}

/// A GET that is answered with an event stream.
struct EventStreamRequest: Sendable {
  var target: RequestTarget
  /// What answers a WebSocket client that joins in this way.
  var behaviour: any BehaviourMaker
  /// Faults that its URL asks for.
  var faults: [FaultRule] = []
  var form = EventStreamForm.standard

  /// Whether a client asks for an event stream on a path that has other forms.
  static func isAccepted(_ fields: HTTPHeaders) -> Bool {
    fields["Accept"].contains { field in
      field.split(separator: ",").contains { type in
        let name = type.prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }
        return name.lowercased() == "text/event-stream"
      }
    }
  }

  /// The last message that the client received on an earlier connection.
  static func lastNumber(_ fields: HTTPHeaders) -> UInt64? {
    fields["Last-Event-ID"].first.flatMap { UInt64($0) }
  }

  /// The same as an upgrade that is accepted.
  var upgrade: AcceptableUpgrade {
    AcceptableUpgrade(
      request: nil, target: target, connection: PathConnection(behaviour: behaviour),
      faults: faults, fields: form.fields, streamForm: form)
  }
}
