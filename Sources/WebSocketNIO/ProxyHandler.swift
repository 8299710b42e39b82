import NIOCore
import NIOTLS
import WebSocketProtocol

/// Performs the dialogue with the proxy and leaves the pipeline when the tunnel to the server is
/// open. The bytes after the reply of the proxy are passed on to the handlers that `opened` has
/// added after this one.
final class ProxyHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum State {
    case waitingForTLS
    case speaking
    case done
  }

  private let opened: () -> Void
  private let failed: (ProxyFailure) -> Void
  /// TLS to the proxy itself.
  private let tls: TLSHandshake?
  private var dialogue: ProxyDialogue
  private var state: State
  private var errno: Int32?

  /// How long to wait for the text of a refusal.
  private static let patience = TimeAmount.seconds(1)

  /// Exactly one of the closures is called, once.
  ///
  /// - Throws: an error of the TLS library, for a host that cannot be a name.
  init(
    _ proxy: ProxyServer, _ dialogue: ProxyDialogue, tls: PreparedTLS?,
    opened: @escaping () -> Void, failed: @escaping (ProxyFailure) -> Void
  ) throws {
    self.dialogue = dialogue
    self.tls = try tls.map {
      try TLSHandshake($0, host: proxy.host, receive: LoopResources.current.receive)
    }
    self.opened = opened
    self.failed = failed
    state = tls == nil ? .speaking : .waitingForTLS
  }

  /// Adds this handler, after TLS if the proxy uses it, to the pipeline of a connected channel.
  func install(on channel: any Channel) throws {
    let pipeline = channel.pipeline.syncOperations
    if let tls { try pipeline.addHandlers([tls.wire, tls.handler]) }
    try pipeline.addHandler(self)
  }

  func handlerAdded(context: ChannelHandlerContext) {
    if case .speaking = state { say(dialogue.greeting, context) }
  }

  private func say(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted(let name) = event as? TLSUserEvent, case .waitingForTLS = state {
      do throws(TLSFailure) {
        _ = try tls?.completed(applicationProtocol: name)
      } catch {
        return fail(.tls(error), context)
      }
      state = .speaking
      tls?.wire.finish()
      say(dialogue.greeting, context)
      return
    }
    context.fireUserInboundEventTriggered(event)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .speaking = state else { return context.fireChannelRead(data) }
    let wasRefused = dialogue.isRefused
    var step = dialogue.receive(Array(unwrapInboundIn(data).readableBytesView))
    while case .write(let bytes) = step {
      say(bytes, context)
      step = dialogue.receive([])
    }
    switch step {
    case .needsMore, .write:
      if dialogue.isRefused, !wasRefused { limitRefusal(context) }
    case .open(let rest):
      pass(rest, context)
    case .fail(let failure):
      fail(failure, context)
    }
  }

  private func pass(_ rest: [UInt8], _ context: ChannelHandlerContext) {
    state = .done
    opened()
    if !rest.isEmpty { context.fireChannelRead(wrapInboundOut(ByteBuffer(bytes: rest))) }
    context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
  }

  /// Limits the wait for the text of a refusal: the status is known, and an endless text must not
  /// delay reporting it.
  private func limitRefusal(_ context: ChannelHandlerContext) {
    context.eventLoop.assumeIsolated().scheduleTask(in: Self.patience) { [weak self] in
      guard let self, case .speaking = self.state else { return }
      self.fail(self.dialogue.ended(errno: nil), context)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    switch state {
    case .done:
      context.fireErrorCaught(error)
    case .waitingForTLS:
      fail(.tls(tls?.failure(error) ?? .closed), context)
    case .speaking:
      errno = (error as? IOError)?.errnoCode
      context.close(promise: nil)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    switch state {
    case .waitingForTLS: fail(.tls(tls?.ended ?? .closed), context)
    case .speaking: fail(dialogue.ended(errno: errno), context)
    case .done: break
    }
    context.fireChannelInactive()
  }

  private func fail(_ failure: ProxyFailure, _ context: ChannelHandlerContext) {
    if case .done = state { return }
    state = .done
    failed(failure)
    context.close(promise: nil)
  }
}
