import NIOCore
import NIOPosix
import NIOSSL
import TestPeers

/// A server for TLS as a test wants it. It accepts the upgrade, sends one message, `hello`, and closes,
/// unless it has another reply.
final class TLSPeer: Sendable {
  let port: Int
  private let listener: any Channel

  /// What is answered to a request instead; nil for none.
  typealias Reply = @Sendable (_ request: [UInt8]) -> [UInt8]?

  /// Listens on a free port of 127.0.0.1.
  init(
    _ chain: [TestCertificate], edit: (inout TLSConfiguration) throws -> Void = { _ in },
    reply: @escaping Reply = { _ in nil }
  ) async throws {
    guard let own = chain.first else { throw TestPeerError("no certificate") }
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: try chain.map { .certificate(try $0.library) },
      privateKey: .privateKey(try own.libraryKey))
    try edit(&configuration)
    let context = try NIOSSLContext(configuration: configuration)
    listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandlers(
            NIOSSLServerHandler(context: context), Greeter(reply))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    port = listener.localAddress?.port ?? 0
  }

  func stop() { listener.close(promise: nil) }

  private final class Greeter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let reply: Reply
    private var request: [UInt8] = []

    init(_ reply: @escaping Reply) {
      self.reply = reply
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      request += Array(unwrapInboundIn(data).readableBytesView)
      guard request.suffix(4) == Array("\r\n\r\n".utf8) else { return }
      let greeting =
        RawPeer.acceptance(of: request) + RawPeer.frame(1, Array("hello".utf8))
        + RawPeer.frame(8, [0x03, 0xE8])
      let reply = reply(request) ?? greeting
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: reply)), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      context.close(promise: nil)
    }
  }
}
