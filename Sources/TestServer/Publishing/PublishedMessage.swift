import NIOCore
package import WebSocketProtocol

/// A message for every client of a channel.
package struct PublishedMessage: Sendable, Equatable {
  var kind: MessageKind
  var payload: ByteBuffer

  package init(_ kind: MessageKind, _ payload: [UInt8]) {
    self.init(kind, ByteBuffer(bytes: payload))
  }

  init(_ kind: MessageKind, _ payload: ByteBuffer) {
    self.kind = kind
    self.payload = payload
  }
}
