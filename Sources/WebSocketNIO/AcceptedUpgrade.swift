package import NIOCore
import NIOHTTP1
package import WebSocketProtocol

/// An upgrade that the server accepts: the reply, and the parts of the connection that follows it.
package struct AcceptedUpgrade: Sendable {
  /// The valid upgrade request of the client.
  package var request: ServerHandshake.Request
  /// One of the client's offers; nil chooses none.
  package var subprotocol: String?
  /// The answer to permessage-deflate; nil declines it.
  package var deflate: DeflateParameters?
  /// Header fields of the reply in addition to those of the handshake.
  package var fields: [(name: String, value: String)] = []
  /// The maximum size of a message in bytes, if lower than the server's limit.
  package var messageLimit: Int?
  /// Makes the owner of the connection. Called on the event loop of the connection.
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
