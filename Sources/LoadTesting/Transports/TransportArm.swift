/// One way in which updates or echoes travel; the arms of a comparison are measured one after the other.
package enum TransportArm: Hashable, Sendable {
  case webSocket
  case eventStream
  case longPoll
  /// Polls at a fixed interval in nanoseconds, each client on one connection.
  case poll(every: Int64)
  /// The same with a new connection for each poll.
  case freshPoll(every: Int64)
  case webSocketEcho
  case postEcho
  /// With a new connection for each request.
  case freshPostEcho

  /// The name in results.
  package var key: String {
    switch self {
    case .webSocket: "ws"
    case .eventStream: "sse"
    case .longPoll: "longpoll"
    case .poll(let interval): "poll-\(Self.text(interval))"
    case .freshPoll(let interval): "poll-new-\(Self.text(interval))"
    case .webSocketEcho: "rtt-ws"
    case .postEcho: "rtt-post"
    case .freshPostEcho: "rtt-post-new"
    }
  }

  /// The name for a person.
  package var name: String {
    switch self {
    case .webSocket: "WebSocket"
    case .eventStream: "SSE"
    case .longPoll: "long poll"
    case .poll(let interval): "poll \(Self.text(interval))"
    case .freshPoll(let interval): "poll \(Self.text(interval)), new"
    case .webSocketEcho: "WebSocket echo"
    case .postEcho: "POST echo"
    case .freshPostEcho: "POST echo, new"
    }
  }

  /// Whether clients send messages and wait for their echoes, instead of receiving updates.
  package var isEcho: Bool {
    switch self {
    case .webSocketEcho, .postEcho, .freshPostEcho: true
    case .webSocket, .eventStream, .longPoll, .poll, .freshPoll: false
    }
  }

  /// The time between two polls in nanoseconds; nil for arms that do not poll at intervals.
  package var interval: Int64? {
    switch self {
    case .poll(let interval), .freshPoll(let interval): interval
    case .webSocket, .eventStream, .longPoll, .webSocketEcho, .postEcho, .freshPostEcho: nil
    }
  }

  /// A duration in the unit in which it is a whole number: `100ms`.
  package static func text(_ nanoseconds: Int64) -> String {
    for (unit, size) in [("s", Int64(1_000_000_000)), ("ms", 1_000_000), ("us", 1000)]
    where nanoseconds % size == 0 {
      return "\(nanoseconds / size)\(unit)"
    }
    return "\(nanoseconds)ns"
  }
}
