package import NIOCore
import NIOHTTP1
package import WebSocketProtocol

/// An upgrade that the server accepts: the reply, and the parts of the connection that follows it.
/// Or a GET whose reply has a body without a known end, which is a connection as well.
package struct AcceptedUpgrade: Sendable {
  /// The valid upgrade request of the client; nil for the GET.
  package var request: ServerHandshake.Request?
  /// One of the client's offers; nil chooses none.
  package var subprotocol: String?
  /// The answer to permessage-deflate; nil declines it.
  package var deflate: DeflateParameters?
  /// Header fields of the reply in addition to those of the handshake.
  package var fields: [(name: String, value: String)] = []
  /// Fields of the handshake that the reply lacks, to test clients.
  package var omittedFields: [String] = []
  /// The bytes sent in place of the reply, to test clients; not over HTTP/2.
  package var wireText: String?
  /// The maximum size of a message in bytes, if lower than the server's limit.
  package var messageLimit: Int?
  /// The maximum size of a frame of a message in bytes; nil for none.
  package var fragmentLimit: Int?
  /// Makes the owner of the connection. Called on the event loop of the connection.
  package var consumer: @Sendable (any EventLoop) -> any ConnectionConsumer

  package init(
    _ request: ServerHandshake.Request?, subprotocol: String? = nil,
    deflate: DeflateParameters? = nil,
    consumer: @escaping @Sendable (any EventLoop) -> any ConnectionConsumer
  ) {
    self.request = request
    self.subprotocol = subprotocol
    self.deflate = deflate
    self.consumer = consumer
  }

  /// A 101, or a 200 over HTTP/2 and for a GET.
  var reply: HTTPResponseHead {
    var reply =
      request.map { ServerHandshake.accept($0, subprotocol: subprotocol, deflate: deflate) }
      ?? HTTPResponseHead(version: .http1_1, status: .ok)
    for (name, value) in fields { reply.headers.add(name: name, value: value) }
    for name in omittedFields { reply.headers.remove(name: name) }
    return reply
  }

  /// The reply in HTTP/1.1. A body ends with its connection (RFC 9112 section 6.3), unless it is in chunks.
  var text: ByteBuffer {
    if let wireText { return ByteBuffer(string: wireText) }
    let reply = reply
    var text = ByteBuffer()
    text.reserveCapacity(256)
    if request == nil {
      text.writeStaticString("HTTP/1.1 200 OK\r\n")
      if !reply.headers.contains(name: "Transfer-Encoding") {
        text.writeStaticString("Connection: close\r\n")
      }
    } else {
      text.writeStaticString("HTTP/1.1 101 Switching Protocols\r\n")
    }
    for (name, value) in reply.headers {
      text.writeString(name)
      text.writeStaticString(": ")
      text.writeString(value)
      text.writeStaticString("\r\n")
    }
    text.writeStaticString("\r\n")
    return text
  }

  func connection(_ configuration: ServerConfiguration) -> OpenedConnection {
    var limits = configuration.limits
    if let messageLimit { limits.messageSize = min(limits.messageSize, messageLimit) }
    if let fragmentLimit { limits.fragmentSize = fragmentLimit }
    return OpenedConnection(
      agreement: .server(deflate.map { DeflateAgreement(serverAnswering: $0) }),
      limits: limits, closeTimeout: configuration.closeTimeout, consumer: consumer)
  }
}
