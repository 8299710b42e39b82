import NIOCore
import WebSocketProtocol

/// The parts of an accepted client handshake that the connection depends on.
struct AcceptedHandshake {
  var handshake: ClientHandshake
  var configuration: ClientConfiguration
  var consumer: @Sendable (HandshakeInfo) -> any ConnectionConsumer

  /// The connection, and the tap to place in front of it if frames are reported. `loop` is the
  /// channel's event loop; `isLeaving` says whether the connection moves to another one.
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
