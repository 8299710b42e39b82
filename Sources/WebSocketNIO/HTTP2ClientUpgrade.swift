import NIOCore
import NIOHPACK
import NIOHTTP1
import NIOHTTP2
import NIOTLS
import WebSocketProtocol

/// The client's handshake over HTTP/2 (RFC 8441): TLS if required, the HTTP/2 connection, and one
/// stream that becomes the WebSocket connection. It is the last handler in the socket's channel.
/// The result is exactly one `ConnectError` or a connection.
///
/// Used on the event loop of the channel.
final class HTTP2ClientUpgrade: ChannelInboundHandler {
  typealias InboundIn = HTTP2Frame

  private enum State {
    case waitingForTLS
    case waitingForSettings
    case waitingForReply
    case open
    case failed
  }

  private let configuration: ClientConfiguration
  private let handshake: ClientHandshake
  private let consumer: @Sendable (HandshakeInfo) -> any ConnectionConsumer
  private let progress: (ConnectError.Phase) -> Void
  private let settle: (Result<HandshakeInfo, ConnectError>) -> Void
  private let resources = LoopResources.current
  private let tee: HeadTee
  private var tls: TLSHandshake?
  private var http2: NIOHTTP2Handler?
  private var stream: (any Channel)?
  private var context: ChannelHandlerContext?
  private var state = State.waitingForSettings
  private var timings: HandshakeTimings
  private var mark = NIODeadline.now()
  private var facts: TLSFacts?
  private var errno: Int32?

  private static let captured = 4 * 1024

  init(
    _ configuration: ClientConfiguration, _ handshake: ClientHandshake,
    _ timings: HandshakeTimings,
    _ consumer: @escaping @Sendable (HandshakeInfo) -> any ConnectionConsumer,
    progress: @escaping (ConnectError.Phase) -> Void,
    settle: @escaping (Result<HandshakeInfo, ConnectError>) -> Void
  ) {
    self.configuration = configuration
    self.handshake = handshake
    self.timings = timings
    self.consumer = consumer
    self.progress = progress
    self.settle = settle
    tee = HeadTee(keeping: Self.captured, receive: resources.receive, isHTTP: false)
  }

  /// Adds this handler and its helpers to the pipeline of a connected channel.
  func install(on channel: any Channel) throws {
    let pipeline = channel.pipeline.syncOperations
    if let prepared = configuration.tls {
      state = .waitingForTLS
      let tls = try TLSHandshake(
        prepared, host: configuration.serverName, receive: resources.receive)
      self.tls = tls
      try pipeline.addHandlers([tls.wire, tls.handler])
    }
    try pipeline.addHandler(self)
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if case .waitingForSettings = state { begin(context) }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted(let name) = event as? TLSUserEvent, case .waitingForTLS = state {
      timings.tls = (NIODeadline.now() - mark).nanoseconds
      do throws(TLSFailure) {
        facts = try tls?.completed(applicationProtocol: name, wantsHTTP2: true)
      } catch {
        return fail(.tls(error))
      }
      guard name == "h2" else { return fail(.http2(.notChosen(name))) }
      tls?.wire.finish()
      state = .waitingForSettings
      begin(context)
    }
    context.fireUserInboundEventTriggered(event)
  }

  // MARK: The connection

  private func begin(_ context: ChannelHandlerContext) {
    progress(.upgrade)
    mark = NIODeadline.now()
    var connection = NIOHTTP2Handler.ConnectionConfiguration()
    connection.initialSettings = HTTP2Limits.settings(isServer: false)
    connection.targetWindowSize = HTTP2Limits.window
    let http2 = NIOHTTP2Handler(
      mode: .client, eventLoop: context.eventLoop, connectionConfiguration: connection,
      streamConfiguration: HTTP2Limits.streams,
      // "A client cannot push." (RFC 9113 section 8.4), and our settings do not allow the server
      // to.
      inboundStreamInitializer: { $0.close() })
    self.http2 = http2
    do {
      try context.pipeline.syncOperations.addHandlers([tee, http2], position: .before(self))
    } catch {
      fail(.http2(.broken(reason: "\(error)")))
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data).payload {
    case .settings(.settings(let settings)):
      guard case .waitingForSettings = state else { return }
      tee.finish()
      // "A client [...] MUST NOT use the :protocol pseudo-header field" before (RFC 8441 section
      // 4).
      guard settings.contains(where: { $0.parameter == .enableConnectProtocol && $0.value == 1 })
      else { return fail(.http2(.noExtendedConnect)) }
      state = .waitingForReply
      openStream(context)
    case .goAway(_, let code, _):
      if case .open = state { return }
      fail(.http2(.goneAway(code: code.networkCode)))
    default:
      break
    }
  }

  private func openStream(_ context: ChannelHandlerContext) {
    let request = handshake.request(
      for: configuration.url, origin: configuration.origin, userAgent: configuration.userAgent,
      extra: configuration.headers)
    configuration.transcript?.sent(request)
    let fields = HTTP2Fields.extendedConnect(request, isSecure: configuration.url.security == .tls)
    let me = NIOLoopBound(self, eventLoop: context.eventLoop)
    do {
      try http2?.syncMultiplexer().createStreamChannel(promise: nil) { channel in
        channel.eventLoop.makeCompletedFuture {
          let stream = HTTP2Stream()
          try channel.pipeline.syncOperations.addHandlers([
            stream, HTTP2ClientStream(stream, fields, me.value),
          ])
        }
      }
    } catch {
      fail(.http2(.broken(reason: "\(error)")))
    }
  }

  // MARK: Events of the stream

  fileprivate func judge(_ reply: HTTPResponseHead) -> ClientHandshake.Verdict {
    configuration.transcript?.read(reply)
    return handshake.judgeExtended(reply)
  }

  /// The stream is a WebSocket connection.
  fileprivate func opened(
    _ reply: HTTPResponseHead, _ negotiated: ClientHandshake.Negotiated,
    request: HTTPRequestHead, _ stream: HTTP2Stream, _ context: ChannelHandlerContext
  ) {
    timings.upgrade = (NIODeadline.now() - mark).nanoseconds
    state = .open
    self.stream = context.channel
    let info = HandshakeInfo(
      subprotocol: negotiated.subprotocol, deflate: negotiated.deflate, headers: reply.headers,
      tls: facts, remoteAddress: context.channel.remoteAddress, timings: timings,
      localAddress: self.context?.localAddress, request: request, status: reply.status,
      tunnel: configuration.tunnel)
    let accepted = AcceptedHandshake(
      handshake: handshake, configuration: configuration, consumer: consumer)
    let (connection, tap) = accepted.connection(info, on: context.eventLoop, isLeaving: false)
    let transport = ChannelTransport(
      .stream(stream), on: context.eventLoop, resources: resources)
    do {
      let pipeline = context.pipeline.syncOperations
      if let tap { try pipeline.addHandler(tap) }
      try pipeline.addHandler(transport)
    } catch {
      return fail(.http2(.broken(reason: "\(error)")))
    }
    transport.begin(connection, in: nil)
    settle(.success(info))
  }

  /// The stream has ended. The connection, which exists for this stream only, is closed.
  fileprivate func ended() {
    guard case .open = state else {
      return fail(.closedBeforeReply(received: tee.head, errno: errno))
    }
    context?.close(promise: nil)
  }

  // MARK: The end

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    switch state {
    case .open:
      stream?.pipeline.fireErrorCaught(error)
      context.close(promise: nil)
    case .failed:
      context.close(promise: nil)
    case .waitingForTLS:
      let failure = tls?.failure(error) ?? .closed
      // "In the event that the server supports no protocols that the client advertises" (RFC 7301).
      if case .alert(.noApplicationProtocol, _) = failure { return fail(.http2(.notChosen(nil))) }
      fail(.tls(failure))
    case .waitingForSettings, .waitingForReply:
      if let error = error as? IOError {
        errno = error.errnoCode
        context.close(promise: nil)
      } else if let failure = tls?.lateFailure(error) {
        fail(.tls(failure))
      } else if error is any NIOHTTP2Error {
        fail(.http2(isStrange ? .notHTTP2(received: tee.head) : .broken(reason: "\(error)")))
      } else {
        context.close(promise: nil)
      }
    }
  }

  /// Whether the first frame is not SETTINGS, which "MUST be the first" (RFC 9113 section 3.4).
  private var isStrange: Bool {
    guard case .waitingForSettings = state, tee.head.count > 3 else { return false }
    return tee.head[3] != 4
  }

  func channelInactive(context: ChannelHandlerContext) {
    switch state {
    case .waitingForTLS: fail(.tls(tls?.ended ?? .closed))
    case .waitingForSettings where isStrange: fail(.http2(.notHTTP2(received: tee.head)))
    case .waitingForSettings, .waitingForReply:
      fail(.closedBeforeReply(received: tee.head, errno: errno))
    case .open, .failed: break
    }
    context.fireChannelInactive()
    self.context = nil
  }

  fileprivate func fail(_ error: ConnectError) {
    switch state {
    case .open, .failed: return
    default: break
    }
    state = .failed
    settle(.failure(error))
    context?.close(promise: nil)
  }
}

/// The single stream of a client: sends the request and validates the reply.
private final class HTTP2ClientStream: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer

  private let stream: HTTP2Stream
  private let request: HTTPRequestHead
  private let asked: () -> Void
  private let upgrade: HTTP2ClientUpgrade
  private var refusal: HTTPRefusal?
  private var isAccepted = false
  private var interimReplies = 0

  private static let maxInterimReplies = 5
  private static let maxBody = 2 * 1024

  init(_ stream: HTTP2Stream, _ fields: HPACKHeaders, _ upgrade: HTTP2ClientUpgrade) {
    self.stream = stream
    self.upgrade = upgrade
    request = HTTPRequestHead(
      version: .http2, method: .CONNECT, uri: fields.first(name: ":path") ?? "/",
      headers: HTTPHeaders(fields.map { ($0.name, $0.value) }))
    asked = { stream.send(fields) }
  }

  func channelActive(context: ChannelHandlerContext) {
    asked()
    context.fireChannelActive()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case let head as HTTP2Stream.Head: received(head, context)
    case is HTTP2Stream.End: peerEnded()
    default: context.fireUserInboundEventTriggered(event)
    }
  }

  private func received(_ head: HTTP2Stream.Head, _ context: ChannelHandlerContext) {
    // Fields after a body are trailers, which are ignored.
    guard refusal == nil, !isAccepted else { return }
    guard let reply = HTTP2Fields.reply(head.fields) else {
      return upgrade.fail(.http2(.broken(reason: "a reply without a status")))
    }
    if (100..<200).contains(reply.status.code) {
      interimReplies += 1
      guard interimReplies > Self.maxInterimReplies else { return }
      return upgrade.fail(.malformedReply(.tooManyInterimReplies, received: []))
    }
    switch upgrade.judge(reply) {
    case .accepted(let negotiated):
      isAccepted = true
      upgrade.opened(reply, negotiated, request: request, stream, context)
    case .refused:
      refusal = HTTPRefusal(head: reply, body: [])
      // The status is known: an endless body must not delay reporting it.
      context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { self.refuse() }
    case .invalid(let violation):
      upgrade.fail(.invalidHandshake(violation, reply))
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isAccepted else { return context.fireChannelRead(data) }
    let bytes = unwrapInboundIn(data).readableBytesView
    let left = Self.maxBody - (refusal?.body.count ?? 0)
    refusal?.body.append(contentsOf: bytes.prefix(left))
    if refusal?.body.count == Self.maxBody { refuse() }
  }

  /// The end of the peer's stream ends the connection, as over TCP.
  private func peerEnded() {
    if isAccepted { stream.end() } else { refuse() }
  }

  private func refuse() {
    if let refusal { upgrade.fail(.refused(refusal)) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard !isAccepted else { return context.fireErrorCaught(error.asReset) }
    if let reset = error as? HTTP2StreamReset {
      upgrade.fail(.http2(.reset(code: reset.code)))
    } else {
      upgrade.fail(.http2(.broken(reason: "\(error)")))
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    refuse()
    context.fireChannelInactive()
    upgrade.ended()
  }
}
