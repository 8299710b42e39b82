import Glibc
import NIOCore

/// Stands in a listening channel, and lets it rest when the system has no descriptor or no memory for
/// another connection: NIO by itself would ask again at once, for ever, since the waiting client
/// keeps the socket readable. Connections that are open are served meanwhile.
final class AcceptPause: ChannelInboundHandler {
  typealias InboundIn = any Channel
  typealias InboundOut = any Channel

  private let report: (Int32) -> Void
  private var lastFailure: NIODeadline?

  static let pause = TimeAmount.milliseconds(250)
  /// Failures that are closer together are one episode, and told of once.
  static let episode = TimeAmount.seconds(5)

  /// - Parameter report: is told the `errno`, once an episode.
  init(report: @escaping (Int32) -> Void) {
    self.report = report
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A client that was gone before it was accepted is no reason to rest.
    guard let error = error as? IOError, error.errnoCode != ECONNABORTED else {
      context.fireErrorCaught(error)
      return
    }
    let now = NIODeadline.now()
    if lastFailure.map({ now - $0 > Self.episode }) ?? true { report(error.errnoCode) }
    lastFailure = now
    let channel = context.channel
    channel.setOption(.autoRead, value: false).whenFailure { _ in }
    context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
      channel.setOption(.autoRead, value: true).whenFailure { _ in }
    }
  }
}
