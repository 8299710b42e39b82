package import NIOCore
package import NIOHTTP1
import NIOSSL
import WebSocketProtocol

/// Handles HTTP/1.1 on the server: reads request heads within limits and a timeout, sends the
/// answers, and passes the channel to a `ChannelTransport` if the answer is an upgrade.
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
  /// The request that is being received, and its answer.
  private var pending: (head: HTTPRequestHead, answer: HTTPAnswer)?
  /// Its body, if the answer depends on it.
  private var body: RequestBody?
  /// Whether the request in progress is the last one: where its body ends was not known in advance,
  /// so the decoder may hold bytes that follow it.
  private var isLastRequest = false
  private var timer: Scheduled<Void>?
  private var isDone = false
  private var hasAnswered = false
  /// Stored because the channel no longer returns it after it is closed.
  private var remoteAddress: SocketAddress?
  private var timeout: TimeAmount
  private let timeoutLater: TimeAmount

  /// Enough bytes to identify data that is not a request.
  private static let captured = 1024

  /// `timeoutLater` applies to the heads after the first, for which less time may be left.
  package init(
    _ configuration: ServerConfiguration, timeoutLater: TimeAmount? = nil,
    _ answer: @escaping Server.Answer
  ) {
    self.configuration = configuration
    timeout = configuration.headTimeout
    self.timeoutLater = timeoutLater ?? configuration.headTimeout
    self.answer = answer
    receive = configuration.loops == nil ? resources.receive : resources.receiveHeads
    tee = HeadTee(keeping: Self.captured, receive: receive, limits: configuration.headLimits)
    decoder = ByteToMessageHandler(
      HTTPRequestDecoder(
        leftOverBytesStrategy: .forwardBytes,
        limitConfiguration: configuration.headLimits.configuration))
  }

  /// Adds this handler and its helpers to the pipeline of a connected channel.
  package func install(on channel: any Channel) throws {
    remoteAddress = channel.remoteAddress
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
      guard let self else { return }
      // A kept-alive connection may be idle.
      let isIdle = self.hasAnswered && self.tee.lastHead.isEmpty
      if !isIdle {
        self.report(.requestTimeout, .timedOut(isEmpty: self.tee.head.isEmpty), context)
      }
      self.refuse(.requestTimeout, "no complete request within the time limit", context)
    }
    timeout = timeoutLater
  }

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isDone else { return }
    switch unwrapInboundIn(data) {
    case .head(var head):
      guard !isLastRequest else { return }
      head.headers = head.headers.withoutOuterSpace
      received(head, context)
    case .body(let piece):
      // Without `body` the request is answered and its body discarded.
      perform(context) { () throws(RequestBodyProblem) in try body?.append(piece) }
    case .end:
      tee.isInBody = false
      guard let (head, answer) = pending else { return }
      pending = nil
      carryOut(answer, to: head, context)
    }
  }

  private func received(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    tee.isInBody = true
    tee.bodyBytesLeft = head.headers["Content-Length"].first.flatMap { Int($0, radix: 10) }
    let answer = answer(
      HTTPRequest(
        head: head, remoteAddress: context.channel.remoteAddress,
        clientSubject: configuration.requiresClientCertificates
          ? ClientCertificate.subject(on: context.channel) : nil))
    pending = (head, answer)
    guard case .reading(let limit, _) = answer else { return }
    perform(context) { () throws(RequestBodyProblem) in
      let framing = try RequestBody.framing(head.headers)
      let body = RequestBody(limit: limit, of: configuration.bodies)
      try body.expect(framing)
      self.body = body
      isLastRequest = framing == .open
    }
    guard body != nil else { return }
    timer?.cancel()
    timer = context.eventLoop.assumeIsolated().scheduleTask(in: configuration.bodyTimeout) {
      [weak self] in
      self?.perform(context) { () throws(RequestBodyProblem) in throw .timedOut }
    }
    if head.headers["Expect"].contains(where: { $0.lowercased() == "100-continue" }) {
      let interim = HTTPResponseHead(version: .http1_1, status: .continue)
      context.writeAndFlush(wrapOutboundOut(.head(interim)), promise: nil)
    }
  }

  /// Does something with the body of the request in progress, which is rejected if that fails.
  private func perform(
    _ context: ChannelHandlerContext, _ work: () throws(RequestBodyProblem) -> Void
  ) {
    do throws(RequestBodyProblem) {
      try work()
    } catch {
      (pending, body) = (nil, nil)
      report(error.status, .body(error), context)
      refuse(error.status, error.explanation, context)
    }
  }

  private func carryOut(
    _ answer: HTTPAnswer, to head: HTTPRequestHead, _ context: ChannelHandlerContext
  ) {
    switch answer {
    case .later(let make):
      // The head is complete: its timeout does not cover the time that the answer takes.
      timer?.cancel()
      tee.pause()
      make(context.eventLoop).assumeIsolated().whenComplete { result in
        guard !self.isDone else { return }
        switch result {
        case .success(let answer):
          self.carryOut(answer, to: head, context)
          self.tee.resume()
        case .failure(let error):
          if error is HTTPAnswer.Reset { return context.closeByReset() }
          context.close(promise: nil)
        }
      }
    case .reading(_, let make):
      let bytes = body?.bytes ?? ByteBuffer()
      body = nil
      timer?.cancel()
      carryOut(make(bytes), to: head, context)
    case .upgrade(let upgrade):
      switchProtocols(upgrade, context)
    case .reply(let reply):
      hasAnswered = true
      let keepsAlive = head.isKeepAlive && reply.status.code < 400 && !isLastRequest
      write(reply, isHead: head.method == .HEAD, keepsAlive: keepsAlive, context)
      if keepsAlive {
        waitForHead(context)
      } else {
        finish(context)
      }
    }
  }

  private func switchProtocols(
    _ upgrade: AcceptedUpgrade, _ context: ChannelHandlerContext
  ) {
    isDone = true
    timer?.cancel()
    let transport = ChannelTransport(
      configuration.tls == nil ? .plain : .tls, on: context.eventLoop, resources: resources)
    let pipeline = context.pipeline.syncOperations
    do {
      // In front of the decoder: frames in the same segment as the request go straight to the
      // transport.
      try pipeline.addHandler(transport, position: .after(tee))
    } catch {
      context.close(promise: nil)
      return
    }
    // The reply must be written first, here or on the loop that the connection moves to.
    let destination = configuration.tls == nil ? configuration.loops?.next() : nil
    var connection = upgrade.connection(configuration)
    var reply = upgrade.text
    if destination == nil { transport.write(&reply) } else { connection.reply = reply }
    transport.begin(connection, in: destination)
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

  /// Ends the connection in a way that lets the peer read the reply: closes the output first, and
  /// the rest when the peer has closed its own output, or after a second.
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
      if configuration.tls != nil, !isDone,
        let problem = Self.problem(of: error, on: context.channel)
      {
        report(nil, problem, context)
        isDone = true
      }
      context.close(promise: nil)
      return
    }
    switch error {
    case .headerOverflow:
      let limits = configuration.headLimits
      report(.requestHeaderFieldsTooLarge, .headTooLarge(limits), context)
      let words =
        "the head is over \(limits.line) bytes a line, \(limits.fields) fields or \(limits.head) bytes"
      refuse(.requestHeaderFieldsTooLarge, words, context)
    case .invalidEOFState:
      context.close(promise: nil)
    default:
      // The empty line in the preface ends what the parser takes for a head.
      let isPreface = tee.head.starts(with: "PRI * HTTP/2.0".utf8)
      let problem = Self.problem(of: isPreface ? tee.head : tee.lastHead)
      report(.badRequest, problem, context)
      refuse(
        .badRequest, Self.reply(to: problem) ?? "not a valid HTTP/1.1 request: \(error)", context)
    }
  }

  /// Reports the problem, at most once per connection.
  private func report(
    _ status: HTTPResponseStatus?, _ problem: MalformedRequest, _ context: ChannelHandlerContext
  ) {
    guard !isDone else { return }
    configuration.rejected(context.remoteAddress ?? remoteAddress, status, problem)
  }

  /// Identifies the problem from the first bytes received.
  private static func problem(of received: [UInt8]) -> MalformedRequest {
    // A handshake record (22) whose version field is that of TLS 1.0 or later (RFC 8446 section
    // 5.1).
    if received.starts(with: [0x16, 0x03]) { return .tlsHello }
    if received.starts(with: "PRI * HTTP/2.0".utf8) { return .http2Preface }
    let lines = received.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast()
    if received.contains(where: { $0 == 0x20 }),
      let bare = lines.firstIndex(where: { $0.last != 0x0D })
    {
      return .bareLineFeed(line: bare + 1)
    }
    return .notHTTP(received: received)
  }

  /// Why a TLS handshake failed; nil for another error.
  static func problem(of error: any Error, on channel: any Channel) -> MalformedRequest? {
    guard case NIOSSLError.handshakeFailed(let cause) = error else { return nil }
    let text = "\(cause)"
    if text.contains("HTTP_REQUEST") { return .plainHTTP }
    let names = text.split { !($0.isLetter || $0.isNumber || $0 == "_") }
    let name = names.first {
      $0.contains("_") && $0.allSatisfy { $0.isUppercase || "_0123456789".contains($0) }
    }
    if let name, let problem = ClientCertificate.problem(String(name), on: channel) {
      return problem
    }
    return .tlsFailed(
      reason: name.map { $0.lowercased().replacing("_", with: " ") } ?? "the client gave up")
  }

  /// The text of the reply, as an HTTP client will show it.
  private static func reply(to problem: MalformedRequest) -> String? {
    switch problem {
    case .http2Preface:
      "this port serves HTTP/1.1; HTTP/2 must be enabled"
    case .bareLineFeed(let line): "line \(line) of the request ends in LF, not in CR LF"
    case .tlsHello: "this port does not speak TLS"
    default: nil
    }
  }

  package func channelInactive(context: ChannelHandlerContext) {
    isDone = true
    timer?.cancel()
    context.fireChannelInactive()
  }
}
