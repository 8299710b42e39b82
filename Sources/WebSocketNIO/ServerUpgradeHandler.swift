import NIOCore
import NIOHTTP1
import WebSocketProtocol

/// The server's HTTP handlers: reads request heads under limits and a timer, has them answered, and
/// gives way to the `ChannelTransport` when the answer is an upgrade.
final class ServerUpgradeHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let configuration: ServerConfiguration
  private let answer: Server.Answer
  private let resources = LoopResources.current
  private let tee: HeadTee
  private let encoder = HTTPResponseEncoder()
  private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
  private var pending: HTTPRequestHead?
  private var timer: Scheduled<Void>?
  private var isDone = false

  init(_ configuration: ServerConfiguration, _ answer: @escaping Server.Answer) {
    self.configuration = configuration
    self.answer = answer
    tee = HeadTee(keeping: 0, resources: resources)
    decoder = ByteToMessageHandler(
      HTTPRequestDecoder(
        leftOverBytesStrategy: .forwardBytes, limitConfiguration: HeadLimits.configuration))
  }

  func install(on channel: any Channel) throws {
    if configuration.tls == nil {
      try channel.syncOptions?.setOption(
        .recvAllocator, value: SharedReceiveAllocator(resources.receive, on: channel.eventLoop))
    }
    try channel.pipeline.syncOperations.addHandlers([tee, encoder, decoder, self])
  }

  func handlerAdded(context: ChannelHandlerContext) {
    waitForHead(context)
  }

  private func waitForHead(_ context: ChannelHandlerContext) {
    timer?.cancel()
    timer = context.eventLoop.assumeIsolated().scheduleTask(in: configuration.headTimeout) {
      [weak self] in
      self?.refuse(.requestTimeout, "no whole request within the time limit", context)
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isDone else { return }
    switch unwrapInboundIn(data) {
    case .head(let head):
      pending = head
    case .body:
      // No resource here takes a body; what is sent is answered and read over.
      break
    case .end:
      guard let head = pending else { return }
      pending = nil
      respond(to: head, context)
    }
  }

  private func respond(to head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let request = HTTPRequest(head: head, remoteAddress: context.remoteAddress)
    switch answer(request) {
    case .upgrade(let upgrade, let subprotocol, let deflate, let consumer):
      let reply = ServerHandshake.accept(upgrade, subprotocol: subprotocol, deflate: deflate)
      let connection = OpenedConnection(
        agreement: .server(deflate.map { DeflateAgreement(serverAnswering: $0) }),
        limits: configuration.limits, closeTimeout: configuration.closeTimeout, consumer: consumer)
      switchProtocols(reply, connection, context)
    case .reply(let reply):
      let keepsAlive = head.isKeepAlive && reply.status.code < 400
      write(reply, isHead: head.method == .HEAD, keepsAlive: keepsAlive, context)
      if keepsAlive {
        waitForHead(context)
      } else {
        finish(context)
      }
    }
  }

  private func switchProtocols(
    _ reply: HTTPResponseHead, _ connection: OpenedConnection, _ context: ChannelHandlerContext
  ) {
    isDone = true
    timer?.cancel()
    let written = context.eventLoop.makePromise(of: Void.self)
    context.writeAndFlush(wrapOutboundOut(.head(reply)), promise: written)
    let transport = ChannelTransport(
      configuration.tls == nil ? .plain : .tls, on: context.eventLoop, resources: resources)
    let pipeline = context.pipeline.syncOperations
    do {
      // The transport takes what the decoder leaves over: frames that came in the segment of the
      // request. It begins when nothing of HTTP is left between it and the socket.
      try pipeline.addHandler(transport, position: .after(self))
    } catch {
      context.close(promise: nil)
      return
    }
    pipeline.removeHandler(tee, promise: nil)
    pipeline.removeHandler(context: context, promise: nil)
    pipeline.removeHandler(encoder, promise: nil)
    let loops = configuration.tls == nil ? configuration.loops : nil
    pipeline.removeHandler(decoder).and(written.futureResult).assumeIsolated().whenComplete { _ in
      transport.begin(connection, in: loops?.next())
    }
  }

  private func write(
    _ reply: HTTPReply, isHead: Bool, keepsAlive: Bool, _ context: ChannelHandlerContext
  ) {
    var head = HTTPResponseHead(version: .http1_1, status: reply.status)
    for (name, value) in reply.headers { head.headers.add(name: name, value: value) }
    head.headers.add(name: "Content-Length", value: String(reply.body.count))
    if !keepsAlive { head.headers.add(name: "Connection", value: "close") }
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if !isHead, !reply.body.isEmpty {
      context.write(
        wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: reply.body)))), promise: nil)
    }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  private func refuse(
    _ status: HTTPResponseStatus, _ words: String, _ context: ChannelHandlerContext
  ) {
    guard !isDone else { return }
    write(HTTPReply(status, text: words), isHead: false, keepsAlive: false, context)
    finish(context)
  }

  /// Ends the connection so that the peer gets to read the reply: our half first, the rest when the
  /// peer's end has come, or after a second.
  private func finish(_ context: ChannelHandlerContext) {
    isDone = true
    timer?.cancel()
    context.close(mode: configuration.tls == nil ? .output : .all, promise: nil)
    timer = context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) {
      context.close(promise: nil)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard let error = error as? HTTPParserError else {
      context.close(promise: nil)
      return
    }
    switch error {
    case .headerOverflow:
      let words = "the head is over 8 KiB a line, 100 fields or 32 KiB"
      refuse(.requestHeaderFieldsTooLarge, words, context)
    case .invalidEOFState:
      context.close(promise: nil)
    default:
      refuse(.badRequest, "not a valid HTTP/1.1 request: \(error)", context)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    isDone = true
    timer?.cancel()
    context.fireChannelInactive()
  }
}
