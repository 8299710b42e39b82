package import NIOCore
package import NIOHTTP1
import WebSocketProtocol

/// The server's HTTP handlers: reads request heads under limits and a timer, has them answered, and
/// gives way to the `ChannelTransport` when the answer is an upgrade.
package final class ServerUpgradeHandler: ChannelInboundHandler, RemovableChannelHandler {
  package typealias InboundIn = HTTPServerRequestPart
  package typealias OutboundOut = HTTPServerResponsePart

  private let configuration: ServerConfiguration
  private let answer: Server.Answer
  private let resources = LoopResources.current
  private let receive: SharedReceiveBuffer
  private let tee: HeadTee
  private let encoder = HTTPResponseEncoder()
  private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
  private var pending: HTTPRequestHead?
  private var timer: Scheduled<Void>?
  private var isDone = false
  private var timeout: TimeAmount
  private let timeoutLater: TimeAmount

  /// `timeoutLater` is for the heads behind the first, where that has less time left than they have.
  package init(
    _ configuration: ServerConfiguration, timeoutLater: TimeAmount? = nil,
    _ answer: @escaping Server.Answer
  ) {
    self.configuration = configuration
    timeout = configuration.headTimeout
    self.timeoutLater = timeoutLater ?? configuration.headTimeout
    self.answer = answer
    receive = configuration.loops == nil ? resources.receive : resources.receiveHeads
    tee = HeadTee(keeping: 0, receive: receive)
    decoder = ByteToMessageHandler(
      HTTPRequestDecoder(
        leftOverBytesStrategy: .forwardBytes, limitConfiguration: HeadLimits.configuration))
  }

  package func install(on channel: any Channel) throws {
    if configuration.tls == nil {
      try channel.syncOptions?.setOption(
        .recvAllocator, value: SharedReceiveAllocator(receive, on: channel.eventLoop))
    }
    try channel.pipeline.syncOperations.addHandlers([tee, encoder, decoder, self])
  }

  package func handlerAdded(context: ChannelHandlerContext) {
    waitForHead(context)
  }

  private func waitForHead(_ context: ChannelHandlerContext) {
    timer?.cancel()
    timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
      [weak self] in
      self?.refuse(.requestTimeout, "no whole request within the time limit", context)
    }
    timeout = timeoutLater
  }

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isDone else { return }
    switch unwrapInboundIn(data) {
    case .head(var head):
      head.headers = head.headers.withoutOuterSpace
      pending = head
      tee.isInBody = true
    case .body:
      // No resource here takes a body; what is sent is answered and read over.
      break
    case .end:
      tee.isInBody = false
      guard let head = pending else { return }
      pending = nil
      respond(to: head, context)
    }
  }

  private func respond(to head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let request = HTTPRequest(head: head, remoteAddress: context.channel.remoteAddress)
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
    let transport = ChannelTransport(
      configuration.tls == nil ? .plain : .tls, on: context.eventLoop, resources: resources)
    let pipeline = context.pipeline.syncOperations
    do {
      // In front of the decoder: frames that came in the segment of the request are the transport's,
      // at once.
      try pipeline.addHandler(transport, position: .after(tee))
    } catch {
      context.close(promise: nil)
      return
    }
    // The reply is the first thing that is written, here or where the connection goes.
    let destination = configuration.tls == nil ? configuration.loops?.next() : nil
    if destination == nil { context.writeAndFlush(wrapOutboundOut(.head(reply)), promise: nil) }
    transport.begin(connection, in: destination)
    if destination != nil { context.write(wrapOutboundOut(.head(reply)), promise: nil) }
    tee.finish()
    pipeline.removeHandler(context: context, promise: nil)
    pipeline.removeHandler(encoder, promise: nil)
    pipeline.removeHandler(decoder, promise: nil)
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

  package func errorCaught(context: ChannelHandlerContext, error: any Error) {
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

  package func channelInactive(context: ChannelHandlerContext) {
    isDone = true
    timer?.cancel()
    context.fireChannelInactive()
  }
}
