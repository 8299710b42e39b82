import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// What is known of a connection when it ends, besides how it did.
struct CloseCircumstances: Sendable, Equatable {
  /// The subprotocol that was agreed on, which gives the codes from 4000 on a meaning.
  var subprotocol: String?
  /// When the peer was last heard of; nil if the connection never was open.
  private var lastHeard: NIODeadline?
  /// ns between that and the end.
  private(set) var idle: Int64?

  init(subprotocol: String? = nil, idle: Int64? = nil) {
    self.subprotocol = subprotocol
    self.idle = idle
  }

  /// A connection has just opened.
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
