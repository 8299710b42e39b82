import NIOCore
import WebSocketProtocol

/// A client's handshake that the server has accepted, as far as the connection depends on it.
struct AcceptedHandshake {
  var handshake: ClientHandshake
  var configuration: ClientConfiguration
  var consumer: @Sendable (HandshakeInfo) -> any ConnectionConsumer

  /// The connection, with the tap that stands in front of it if frames are told of. `loop` is the one that
  /// the channel lives on, `isLeaving` whether the connection goes to another.
  func connection(
    _ info: HandshakeInfo, on loop: any EventLoop, isLeaving: Bool
  ) -> (OpenedConnection, FrameTap?) {
    let agreement = handshake.deflate.flatMap { offer in
      info.deflate.map { DeflateAgreement(client: offer, answer: $0) }
    }
    let owner: @Sendable (any EventLoop) -> any ConnectionConsumer
    var tap: FrameTap?
    if configuration.tracesFrames || configuration.lintsFrames, !isLeaving {
      let made = NIOLoopBound(consumer(info), eventLoop: loop)
      tap = (made.value as? any FrameObserver).map {
        FrameTap(
          $0, traces: configuration.tracesFrames,
          lint: configuration.lintsFrames ? FrameLint() : nil)
      }
      owner = { _ in made.value }
    } else {
      owner = { [consumer] _ in consumer(info) }
    }
    return (
      OpenedConnection(
        agreement: .client(agreement), limits: configuration.limits,
        closeTimeout: configuration.closeTimeout, consumer: owner), tap
    )
  }
}
