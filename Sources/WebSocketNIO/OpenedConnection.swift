import NIOCore
import WebSocketProtocol

/// A connection after its handshake and before it reaches its final event loop: the negotiated
/// parameters and the owner.
struct OpenedConnection: Sendable {
  enum Agreement: Sendable {
    case client(DeflateAgreement?)
    case server(DeflateAgreement?)
  }

  var agreement: Agreement
  var limits: Limits
  var closeTimeout: TimeAmount
  /// Written before anything else: the server's reply, if the connection moves to another loop.
  var reply = ByteBuffer()
  /// Creates the owner; called on that loop.
  var consumer: @Sendable (any EventLoop) -> any ConnectionConsumer

  /// Call on `loop`, to which `resources` belong.
  func makeHandler(on loop: any EventLoop, resources: LoopResources) -> ConnectionHandler {
    let machine =
      switch agreement {
      case .client(let deflate):
        ConnectionMachine(clientWith: resources.keys, limits: limits, deflate: deflate)
      case .server(let deflate):
        ConnectionMachine(serverWith: limits, deflate: deflate)
      }
    return ConnectionHandler(
      consumer(loop), machine: machine, resources: resources, closeTimeout: closeTimeout)
  }
}
