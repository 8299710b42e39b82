import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// Facts about a connection when it ends, other than how it ended.
struct CloseCircumstances: Sendable, Equatable {
  /// The negotiated subprotocol, which defines the meaning of codes from 4000 on.
  var subprotocol: String?
  /// When the last data from the peer arrived; nil if the connection was never open.
  private var lastHeard: NIODeadline?
  /// The time in ns between that and the end.
  private(set) var idle: Int64?

  init(subprotocol: String? = nil, idle: Int64? = nil) {
    self.subprotocol = subprotocol
    self.idle = idle
  }

  /// For a connection that has just opened.
  init(_ info: HandshakeInfo) {
    subprotocol = info.subprotocol
    lastHeard = .now()
  }

  mutating func heard(_ event: ConnectionEvent) {
    switch event {
    case .message(_, _, _, let time), .ping(_, let time), .pong(_, let time): lastHeard = time
    case .ended: idle = lastHeard.map { max((NIODeadline.now() - $0).nanoseconds, 0) }
    case .close, .violation, .frame, .pinged, .linted: break
    }
  }
}
