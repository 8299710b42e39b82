import NIOHTTP1
import WebSocketNIO

/// A GET that is answered with an event stream.
struct EventStreamRequest: Sendable {
  var target: RequestTarget
  /// What answers a WebSocket client that joins in this way.
  var behaviour: any BehaviourMaker
  /// Faults that its URL asks for.
  var faults: [FaultRule] = []

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
      faults: faults,
      fields: [
        ("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
      ])
  }
}
