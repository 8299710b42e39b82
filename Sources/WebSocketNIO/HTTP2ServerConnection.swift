import NIOCore
import NIOHPACK
import NIOHTTP1
import NIOHTTP2
import WebSocketProtocol

/// The server's side of an HTTP/2 connection: every stream is a request, and an extended CONNECT
/// (RFC 8441) turns its stream into a WebSocket connection.
enum HTTP2ServerConnection {
  /// Adds HTTP/2 to the pipeline of a connected channel, which must then be fed the client's
  /// preface. A connection without streams ends after `headTimeout`.
  static func install(
    on channel: any Channel, _ configuration: ServerConfiguration, _ answer: @escaping Server.Answer
  ) throws {
    var connection = NIOHTTP2Handler.ConnectionConfiguration()
    connection.initialSettings = HTTP2Limits.settings(
      isServer: true, headLimits: configuration.headLimits)
    connection.targetWindowSize = HTTP2Limits.window
    let watch = NIOLoopBound(
      ConnectionWatch(limit: configuration.headTimeout), eventLoop: channel.eventLoop)
    let http2 = NIOHTTP2Handler(
      mode: .server, eventLoop: channel.eventLoop, connectionConfiguration: connection,
      streamConfiguration: HTTP2Limits.streams
    ) { channel in
      channel.eventLoop.makeCompletedFuture {
        watch.value.opened(channel)
        let stream = HTTP2Stream()
        try channel.pipeline.syncOperations.addHandlers([
          stream, HTTP2ServerStream(stream, configuration, answer),
        ])
      }
    }
    try channel.pipeline.syncOperations.addHandlers([http2, watch.value])
  }

  /// Ends a connection that has had no stream for too long, or that violates the protocol.
  ///
  /// The library's handler for idle connections does nothing until a ping has been answered.
  private final class ConnectionWatch: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    private let limit: TimeAmount
    private var streams = 0
    private var context: ChannelHandlerContext?
    private var timer: Scheduled<Void>?

    init(limit: TimeAmount) { self.limit = limit }

    func handlerAdded(context: ChannelHandlerContext) {
      self.context = context
      wait(context)
    }

    /// A stream was opened, with the channel `stream`.
    func opened(_ stream: any Channel) {
      streams += 1
      timer?.cancel()
      stream.closeFuture.assumeIsolated().whenComplete { _ in
        self.streams -= 1
        if self.streams == 0, let context = self.context { self.wait(context) }
      }
    }

    private func wait(_ context: ChannelHandlerContext) {
      timer = context.eventLoop.assumeIsolated().scheduleTask(in: limit) {
        let farewell = HTTP2Frame.FramePayload.goAway(
          lastStreamID: .maxID, errorCode: .noError, opaqueData: nil)
        context.writeAndFlush(
          self.wrapOutboundOut(HTTP2Frame(streamID: .rootStream, payload: farewell)),
          promise: nil)
        context.close(promise: nil)
      }
    }

    func channelInactive(context: ChannelHandlerContext) {
      timer?.cancel()
      self.context = nil
      context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      // The stream's own channel receives the error of a stream as well.
      if error is NIOHTTP2Errors.StreamError { return }
      context.close(promise: nil)
    }
  }
}

/// One stream of a server: a request and its answer.
private final class HTTP2ServerStream: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private enum State {
    case waitingForHead
    /// The answer depends on the body.
    case readingBody(HTTPRequestHead, HTTPAnswer)
    /// The answer is pending.
    case waitingForAnswer
    case answered
    case open
  }

  private let stream: HTTP2Stream
  private let configuration: ServerConfiguration
  private let answer: Server.Answer
  private let resources = LoopResources.current
  private var state = State.waitingForHead
  private var isTunnel = false
  /// The body of the request, while it is being read.
  private var body: RequestBody?
  private var timer: Scheduled<Void>?
  /// Data that the client has sent before it was answered.
  private var early = ByteBuffer()

  private static let maxEarlyBytes = 64 * 1024

  init(
    _ stream: HTTP2Stream, _ configuration: ServerConfiguration, _ answer: @escaping Server.Answer
  ) {
    self.stream = stream
    self.configuration = configuration
    self.answer = answer
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case let head as HTTP2Stream.Head:
      // Fields after a body are trailers, which are ignored.
      if case .waitingForHead = state { received(head.fields, context) }
    case is HTTP2Stream.End:
      switch state {
      // The end of the peer's stream ends the connection, as over TCP.
      case .open where isTunnel: stream.end()
      case .waitingForAnswer where isTunnel:
        state = .answered
        context.close(promise: nil)
      case .readingBody(let head, let answer):
        state = .answered
        timer?.cancel()
        carryOut(answer, to: head, context)
      // A GET has no body; its reply goes on.
      case .waitingForHead, .waitingForAnswer, .answered, .open: break
      }
    default:
      context.fireUserInboundEventTriggered(event)
    }
  }

  private func received(_ fields: HPACKHeaders, _ context: ChannelHandlerContext) {
    state = .answered
    guard let head = HTTP2Fields.request(fields) else {
      context.close(promise: nil)
      return
    }
    let wanted = fields.first(name: ":protocol")
    if let wanted, wanted != "websocket" {
      return reply(
        HTTPReply(.notImplemented, text: "the protocol is not websocket"), to: head, context)
    }
    isTunnel = wanted != nil
    let request = HTTPRequest(
      head: head, remoteAddress: context.channel.remoteAddress, isExtendedConnect: isTunnel,
      clientSubject: configuration.requiresClientCertificates
        ? context.channel.parent.flatMap(ClientCertificate.subject) : nil)
    let answer = answer(request)
    guard case .reading(let limit, _) = answer else { return carryOut(answer, to: head, context) }
    let body = RequestBody(limit: limit, of: configuration.bodies)
    self.body = body
    state = .readingBody(head, answer)
    timer = context.eventLoop.assumeIsolated().scheduleTask(in: configuration.bodyTimeout) {
      self.perform(context) { () throws(RequestBodyProblem) in throw .timedOut }
    }
    perform(context) { () throws(RequestBodyProblem) in
      try body.expect(RequestBody.framing(head.headers))
    }
  }

  /// Does something with the body that is being read; the request is rejected if that fails.
  private func perform(
    _ context: ChannelHandlerContext, _ work: () throws(RequestBodyProblem) -> Void
  ) {
    guard case .readingBody(let head, _) = state else { return }
    do throws(RequestBodyProblem) {
      try work()
    } catch {
      state = .answered
      body = nil
      timer?.cancel()
      configuration.rejected(context.channel.remoteAddress, error.status, .body(error))
      reply(HTTPReply(error.status, text: error.explanation), to: head, context)
    }
  }

  private func carryOut(
    _ answer: HTTPAnswer, to head: HTTPRequestHead, _ context: ChannelHandlerContext
  ) {
    switch answer {
    case .later(let make):
      state = .waitingForAnswer
      make(context.eventLoop).assumeIsolated().whenComplete { result in
        // The stream may have been reset meanwhile.
        guard case .waitingForAnswer = self.state, context.channel.isActive else { return }
        self.state = .answered
        guard case .success(let answer) = result else {
          context.close(promise: nil)
          return
        }
        self.carryOut(answer, to: head, context)
      }
    case .reading(_, let make):
      let bytes = body?.bytes ?? ByteBuffer()
      body = nil
      carryOut(make(bytes), to: head, context)
    case .upgrade(let upgrade):
      open(upgrade.reply, upgrade.connection(configuration), context)
    case .reply(let reply):
      self.reply(reply, to: head, context)
    }
  }

  private func open(
    _ reply: HTTPResponseHead, _ connection: OpenedConnection, _ context: ChannelHandlerContext
  ) {
    state = .open
    let transport = ChannelTransport(.stream(stream), on: context.eventLoop, resources: resources)
    do {
      try context.pipeline.syncOperations.addHandler(transport)
    } catch {
      context.close(promise: nil)
      return
    }
    stream.send(HTTP2Fields.fields(reply))
    transport.begin(connection, in: nil)
    guard early.readableBytes > 0 else { return }
    context.fireChannelRead(wrapInboundOut(early))
    context.fireChannelReadComplete()
    early = ByteBuffer()
    context.channel.setOption(.autoRead, value: true).whenFailure { _ in }
    context.read()
  }

  private func reply(
    _ reply: HTTPReply, to request: HTTPRequestHead, _ context: ChannelHandlerContext
  ) {
    var head = HTTPResponseHead(version: .http2, status: reply.status)
    for (name, value) in reply.headers { head.headers.add(name: name, value: value) }
    head.headers.add(name: "Content-Length", value: String(reply.body.count))
    let hasBody = request.method != .HEAD && !reply.body.isEmpty
    stream.send(HTTP2Fields.fields(head), isEnd: !hasBody)
    if hasBody { stream.end(with: ByteBuffer(bytes: reply.body)) }
    // Further data from the client is discarded. The client has a second to read the reply before
    // the stream is closed.
    context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) {
      context.close(promise: nil)
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch state {
    case .open:
      context.fireChannelRead(data)
    case .waitingForAnswer:
      early.writeImmutableBuffer(unwrapInboundIn(data))
      guard early.readableBytes > Self.maxEarlyBytes else { return }
      context.channel.setOption(.autoRead, value: false).whenFailure { _ in }
    case .readingBody:
      let piece = unwrapInboundIn(data)
      perform(context) { () throws(RequestBodyProblem) in try body?.append(piece) }
    case .waitingForHead, .answered:
      // The request is answered and its body discarded.
      break
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    timer?.cancel()
    if case .waitingForAnswer = state { state = .answered }
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard case .open = state else {
      context.close(promise: nil)
      return
    }
    context.fireErrorCaught(error.asReset)
  }
}
