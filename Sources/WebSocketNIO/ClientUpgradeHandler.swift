package import NIOCore
package import NIOHTTP1
import NIOTLS
package import WebSocketProtocol

/// Performs the HTTP upgrade of a client: sends the request, validates the reply and passes the
/// channel to a `ChannelTransport`. Every failure results in exactly one `ConnectError`.
package final class ClientUpgradeHandler: ChannelInboundHandler, RemovableChannelHandler {
  package typealias InboundIn = HTTPClientResponsePart
  package typealias OutboundOut = HTTPClientRequestPart

  private enum State {
    case waitingForTLS
    case waitingForHead
    case accepted(HTTPResponseHead, ClientHandshake.Negotiated)
    case refused(HTTPRefusal)
    case done
  }

  private let configuration: ClientConfiguration
  private let handshake: ClientHandshake
  private let consumer: @Sendable (HandshakeInfo) -> any ConnectionConsumer
  private let destination: EpollLoop?
  private let progress: (ConnectError.Phase) -> Void
  private let settle: (Result<HandshakeInfo, ConnectError>) -> Void
  private let resources = LoopResources.current
  private var tls: TLSHandshake?
  /// Records the bytes passed to the HTTP decoder.
  private let tee: HeadTee
  private let encoder: any ChannelHandler & RemovableChannelHandler
  private let decoder: ByteToMessageHandler<HTTPResponseDecoder>

  private var state = State.waitingForHead
  private var timings: HandshakeTimings
  private var mark = NIODeadline.now()
  private var interimReplies = 0
  private var facts: TLSFacts?
  private var request = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
  private var errno: Int32?

  private static let maxInterimReplies = 5
  private static let captured = 4 * 1024
  private static let maxBody = 16 * 1024

  package init(
    _ configuration: ClientConfiguration, _ handshake: ClientHandshake,
    _ timings: HandshakeTimings, destination: EpollLoop?,
    _ consumer: @escaping @Sendable (HandshakeInfo) -> any ConnectionConsumer,
    progress: @escaping (ConnectError.Phase) -> Void,
    settle: @escaping (Result<HandshakeInfo, ConnectError>) -> Void
  ) {
    self.configuration = configuration
    self.handshake = handshake
    self.timings = timings
    self.consumer = consumer
    encoder = configuration.rawRequest.map { RawRequestEncoder($0) } ?? HTTPRequestEncoder()
    self.destination = destination
    self.progress = progress
    self.settle = settle
    tee = HeadTee(keeping: Self.captured, receive: resources.receive, repairsSwitch: true)
    decoder = ByteToMessageHandler(
      HTTPResponseDecoder(
        leftOverBytesStrategy: .forwardBytes, informationalResponseStrategy: .forward,
        limitConfiguration: HeadLimits.standard.configuration))
  }

  /// Adds this handler and its helpers to the pipeline of a connected channel.
  package func install(on channel: any Channel) throws {
    let pipeline = channel.pipeline.syncOperations
    if let prepared = configuration.tls {
      state = .waitingForTLS
      let tls = try TLSHandshake(
        prepared, host: configuration.serverName, receive: resources.receive)
      self.tls = tls
      try pipeline.addHandlers([tls.wire, tls.handler])
    } else if !configuration.usesTLS {
      try channel.syncOptions?.setOption(
        .recvAllocator, value: SharedReceiveAllocator(resources.receive, on: channel.eventLoop))
    }
    try pipeline.addHandlers([tee, encoder, decoder, self])
  }

  package func handlerAdded(context: ChannelHandlerContext) {
    if case .waitingForHead = state { sendRequest(context) }
  }

  private func sendRequest(_ context: ChannelHandlerContext) {
    progress(.upgrade)
    mark = NIODeadline.now()
    let request = handshake.request(
      for: configuration.url, origin: configuration.origin, userAgent: configuration.userAgent,
      extra: configuration.headers, forced: configuration.forcedHeaders)
    self.request = request
    configuration.transcript?.sent(request, raw: configuration.rawRequest)
    context.write(wrapOutboundOut(.head(request)), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted(let name) = event as? TLSUserEvent, case .waitingForTLS = state {
      timings.tls = (NIODeadline.now() - mark).nanoseconds
      do throws(TLSFailure) {
        facts = try tls?.completed(applicationProtocol: name)
      } catch {
        return fail(.tls(error), context)
      }
      state = .waitingForHead
      sendRequest(context)
    }
    context.fireUserInboundEventTriggered(event)
  }

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch (unwrapInboundIn(data), state) {
    case (.head(var head), .waitingForHead):
      head.headers = head.headers.withoutOuterSpace
      received(head, context)
    case (.body(let body), .refused(var refusal)):
      refusal.body.append(
        contentsOf: body.readableBytesView.prefix(Self.maxBody - refusal.body.count))
      state = .refused(refusal)
      if refusal.body.count == Self.maxBody { fail(.refused(refusal), context) }
    case (.end, .refused(let refusal)):
      fail(.refused(refusal), context)
    case (.end, .accepted(let head, let negotiated)):
      switchProtocols(head, negotiated, context)
    default:
      break
    }
  }

  private func received(_ head: HTTPResponseHead, _ context: ChannelHandlerContext) {
    if (100..<200).contains(head.status.code), head.status != .switchingProtocols {
      interimReplies += 1
      if interimReplies > Self.maxInterimReplies {
        fail(.malformedReply(.tooManyInterimReplies, received: tee.head), context)
      }
      return
    }
    if head.status == .switchingProtocols, !tee.isStartLineText {
      fail(.malformedReply(.notHTTP, received: tee.head), context)
      return
    }
    switch handshake.judge(head) {
    case .accepted(let negotiated):
      state = .accepted(head, negotiated)
    case .refused:
      tee.isInBody = true
      var head = head
      // Use the server's reason phrase, if it sent one.
      if let phrase = ReplyHead.reasonPhrase(tee.lastHead) {
        head.status = .custom(code: head.status.code, reasonPhrase: phrase)
      }
      state = .refused(HTTPRefusal(head: head, body: []))
      // The status is known: an endless body must not delay reporting it.
      context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { [weak self] in
        guard let self, case .refused(let refusal) = self.state else { return }
        self.fail(.refused(refusal), context)
      }
    case .invalid(let violation):
      fail(.invalidHandshake(violation, head), context)
    }
  }

  private func switchProtocols(
    _ head: HTTPResponseHead, _ negotiated: ClientHandshake.Negotiated,
    _ context: ChannelHandlerContext
  ) {
    timings.upgrade = (NIODeadline.now() - mark).nanoseconds
    state = .done
    var info = HandshakeInfo(
      subprotocol: negotiated.subprotocol, deflate: negotiated.deflate, headers: head.headers,
      tls: facts,
      remoteAddress: context.channel.remoteAddress, timings: timings,
      localAddress: context.localAddress,
      request: request,
      reasonPhrase: ReplyHead.reasonPhrase(tee.lastHead) ?? head.status.reasonPhrase,
      tunnel: configuration.tunnel, ignoredFields: tee.removedFields)
    info.rawRequest = configuration.rawRequest
    let accepted = AcceptedHandshake(
      handshake: handshake, configuration: configuration, consumer: consumer)
    let (connection, tap) = accepted.connection(
      info, on: context.eventLoop, isLeaving: destination != nil)
    let transport = ChannelTransport(
      configuration.usesTLS ? .tls : .plain, on: context.eventLoop, resources: resources)
    let pipeline = context.pipeline.syncOperations
    do {
      // In front of the decoder: the bytes after the head go straight to the transport.
      try pipeline.addHandler(transport, position: .after(tee))
      if let tap { try pipeline.addHandler(tap, position: .after(tee)) }
    } catch {
      settle(.failure(.closedBeforeReply(received: tee.head, errno: nil)))
      return
    }
    tls?.wire.finish()
    tee.finish()
    pipeline.removeHandler(context: context, promise: nil)
    pipeline.removeHandler(encoder, promise: nil)
    pipeline.removeHandler(decoder, promise: nil)
    transport.begin(connection, in: destination)
    settle(.success(info))
  }

  package func errorCaught(context: ChannelHandlerContext, error: any Error) {
    switch error {
    case let error as HTTPParserError:
      if case .refused(let refusal) = state {
        fail(.refused(refusal), context)
        return
      }
      let kind: ConnectError.MalformedReply =
        error == .headerOverflow ? .headTooLarge : .notHTTP
      // An end of stream inside the head is a closed connection, not malformed HTTP.
      if error == .invalidEOFState { return }
      fail(.malformedReply(kind, received: tee.head), context)
    case let error as IOError:
      errno = error.errnoCode
      context.close(promise: nil)
    default:
      if case .waitingForTLS = state, let tls {
        fail(.tls(tls.failure(error)), context)
      } else if case .waitingForHead = state, let failure = tls?.lateFailure(error) {
        fail(.tls(failure), context)
      } else {
        context.close(promise: nil)
      }
    }
  }

  package func channelInactive(context: ChannelHandlerContext) {
    switch state {
    case .waitingForTLS:
      fail(.tls(tls?.ended ?? .closed), context)
    case .refused(let refusal):
      fail(.refused(refusal), context)
    case .waitingForHead, .accepted:
      fail(.closedBeforeReply(received: tee.head, errno: errno), context)
    case .done:
      break
    }
    context.fireChannelInactive()
  }

  private func fail(_ error: ConnectError, _ context: ChannelHandlerContext) {
    if case .done = state { return }
    state = .done
    configuration.transcript?.read(tee.lastHead)
    settle(.failure(error))
    context.close(promise: nil)
  }
}
