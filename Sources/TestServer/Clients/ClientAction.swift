package import NIOCore
import WebSocketNIO
package import WebSocketProtocol

/// Something to do to a client from outside.
package enum ClientAction: Sendable {
  case send(MessageKind, [UInt8])
  case ping([UInt8])
  /// With any code, valid or not.
  case close(CloseFrame)
  /// End the connection with a TCP reset.
  case cut
}

/// The clients that an action is for.
package enum ClientSelection: Sendable, Hashable {
  case all
  /// By its number in the log.
  case client(Int)
  /// Those whose path, without the query, matches a pattern, in which `*` matches any characters.
  case path(String)
}

/// An open client.
package struct OpenClient: Sendable {
  package var number: Int
  package var info: ClientInfo
  /// Its address; nil on a unix socket.
  package var from: SocketAddress?
  package var duration: TimeAmount
  package var traffic: Traffic
  /// Bytes that wait to be sent to it.
  package var queuedBytes: Int
}

extension ServedClient {
  /// - Returns: Whether the client was open.
  func perform(_ action: ClientAction) -> Bool {
    guard let handler, handler.isOpen else { return false }
    switch action {
    case .send(let kind, let payload):
      try? handler.perform { machine throws(SendError) in
        // As an event without a number, if it receives an event stream: it is not from a channel.
        payload.withUnsafeBytes { deliver(kind, $0, number: nil, &machine) }
      }
    case .ping(let payload):
      try? handler.perform { machine throws(SendError) in sendPing(payload, &machine) }
    case .close(let frame):
      try? handler.perform { machine throws(SendError) in
        try machine.sendClose(frame, allowsAnyCode: true)
      }
    case .cut: handler.reset()
    }
    return true
  }

  /// nil once it has closed.
  var open: OpenClient? {
    handler.map {
      OpenClient(
        number: number, info: info, from: $0.remoteAddress, duration: .now() - openedAt,
        traffic: $0.traffic, queuedBytes: $0.bufferedBytes + (outlet?.waitingBytes ?? 0))
    }
  }
}
