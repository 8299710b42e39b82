import NIOCore
import NIOSSL
import NIOTLS
import WebSocketProtocol

/// Detects the client's HTTP version and installs its handlers: with TLS by ALPN (RFC 9113 section
/// 3.2), otherwise by the first bytes, which a client "that knows that a server supports HTTP/2"
/// sends (section 3.3).
final class HTTPVersionSelector: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private let configuration: ServerConfiguration
  private let answer: Server.Answer
  private let came = NIODeadline.now()
  private var received = ByteBuffer()
  private var timer: Scheduled<Void>?

  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  init(_ configuration: ServerConfiguration, _ answer: @escaping Server.Answer) {
    self.configuration = configuration
    self.answer = answer
  }

  func handlerAdded(context: ChannelHandlerContext) {
    timer = context.eventLoop.assumeIsolated().scheduleTask(in: configuration.headTimeout) {
      context.close(promise: nil)
    }
  }

  func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if configuration.tls != nil, case .handshakeCompleted(let name) = event as? TLSUserEvent {
      return open(isHTTP2: name == "h2", context)
    }
    context.fireUserInboundEventTriggered(event)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    received.writeImmutableBuffer(unwrapInboundIn(data))
    guard configuration.tls == nil else { return }
    let first = received.readableBytesView.prefix(Self.preface.count)
    let isHTTP2 = first.elementsEqual(Self.preface.prefix(first.count))
    if isHTTP2, first.count < Self.preface.count { return }
    open(isHTTP2: isHTTP2, context)
  }

  private func open(isHTTP2: Bool, _ context: ChannelHandlerContext) {
    do {
      if isHTTP2 {
        try HTTP2ServerConnection.install(on: context.channel, configuration, answer)
      } else {
        var configuration = configuration
        let waited = NIODeadline.now() - came
        let limit = configuration.headTimeout
        configuration.headTimeout = max(limit - waited, .milliseconds(1))
        try ServerUpgradeHandler(configuration, timeoutLater: limit, answer).install(
          on: context.channel)
      }
    } catch {
      context.close(promise: nil)
      return
    }
    if received.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(received)) }
    received = ByteBuffer()
    context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if let problem = ServerUpgradeHandler.problem(of: error, on: context.channel) {
      configuration.rejected(context.channel.remoteAddress, nil, problem)
    }
    context.close(promise: nil)
  }
}
