import Glibc
import NIOCore

/// Pauses a listening channel when the system has no descriptor or no memory for another
/// connection. NIO itself would retry in an endless loop, because the waiting client keeps the
/// socket readable. Open connections are served in the meantime.
final class AcceptPause: ChannelInboundHandler {
  typealias InboundIn = any Channel
  typealias InboundOut = any Channel

  private let report: (Int32) -> Void
  private var lastFailure: NIODeadline?

  static let pause = TimeAmount.milliseconds(250)
  /// Failures closer together than this are one episode, which is reported once.
  static let episode = TimeAmount.seconds(5)

  /// - Parameter report: called with the `errno`, once per episode.
  init(report: @escaping (Int32) -> Void) {
    self.report = report
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A client that disconnected before it was accepted does not call for a pause.
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
