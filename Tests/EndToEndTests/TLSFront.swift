import NIOCore
import NIOPosix
import NIOSSL
import TestPeers

/// TLS in front of a port of 127.0.0.1, which is spoken to in the clear: makes an https proxy of an http one.
final class TLSFront: Sendable {
  let port: Int
  private let listener: any Channel

  init(_ certificate: TestCertificate, to backend: Int) async throws {
    let configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: [.certificate(try certificate.library)],
      privateKey: .privateKey(try certificate.libraryKey))
    let context = try NIOSSLContext(configuration: configuration)
    listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.autoRead, value: false)
      .childChannelInitializer { front in
        ClientBootstrap(group: front.eventLoop).connect(host: "127.0.0.1", port: backend)
          .flatMapThrowing { back in
            try front.pipeline.syncOperations.addHandlers(
              NIOSSLServerHandler(context: context), Glue(to: back))
            try back.pipeline.syncOperations.addHandler(Glue(to: front))
            try front.syncOptions?.setOption(.autoRead, value: true)
          }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    port = listener.localAddress?.port ?? 0
  }

  func stop() { listener.close(promise: nil) }

  private final class Glue: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let other: any Channel

    init(to other: any Channel) {
      self.other = other
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      other.writeAndFlush(unwrapInboundIn(data), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      context.close(promise: nil)
    }
  }
}
