package import NIOCore
import NIOHTTP1
package import WebSocketProtocol

/// An upgrade that a server agrees to, as one value: the reply, and what the connection after it is made of.
package struct AcceptedUpgrade: Sendable {
  package var request: ServerHandshake.Request
  /// One of those that the client offers; nil chooses none.
  package var subprotocol: String?
  /// The answer to permessage-deflate; nil declines it.
  package var deflate: DeflateParameters?
  /// Fields of the reply besides those of the handshake.
  package var fields: [(name: String, value: String)] = []
  /// Bytes of one message, where it is to be less than the server takes otherwise.
  package var messageLimit: Int?
  /// Makes the owner of the connection; called on the event loop that the connection will live on.
  package var consumer: @Sendable (any EventLoop) -> any ConnectionConsumer

  package init(
    _ request: ServerHandshake.Request, subprotocol: String? = nil,
    deflate: DeflateParameters? = nil,
    consumer: @escaping @Sendable (any EventLoop) -> any ConnectionConsumer
  ) {
    self.request = request
    self.subprotocol = subprotocol
    self.deflate = deflate
    self.consumer = consumer
  }

  /// A 101, or a 200 over HTTP/2.
  var reply: HTTPResponseHead {
    var reply = ServerHandshake.accept(request, subprotocol: subprotocol, deflate: deflate)
    for (name, value) in fields { reply.headers.add(name: name, value: value) }
    return reply
  }

  func connection(_ configuration: ServerConfiguration) -> OpenedConnection {
    var limits = configuration.limits
    if let messageLimit { limits.messageSize = min(limits.messageSize, messageLimit) }
    return OpenedConnection(
      agreement: .server(deflate.map { DeflateAgreement(serverAnswering: $0) }),
      limits: limits, closeTimeout: configuration.closeTimeout, consumer: consumer)
  }
}
