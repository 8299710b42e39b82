import NIOCore
import WebSocketProtocol

/// A connection whose handshake is done, on its way to the loop that it will live on: what is agreed on,
/// and who it belongs to.
struct OpenedConnection: Sendable {
  enum Agreement: Sendable {
    case client(DeflateAgreement?)
    case server(DeflateAgreement?)
  }

  var agreement: Agreement
  var limits: Limits
  var closeTimeout: TimeAmount
  /// What is written before anything else: a server's reply, when the connection changes its loop.
  var reply = ByteBuffer()
  /// Called on that loop.
  var consumer: @Sendable (any EventLoop) -> any ConnectionConsumer

  /// To be called on `loop`, whose `resources` these are.
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
