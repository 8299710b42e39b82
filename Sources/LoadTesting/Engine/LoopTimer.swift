import NIOCore

/// A moment on an event loop that is set again and again; setting it allocates nothing.
final class LoopTimer: NIOScheduledCallbackHandler {
  private let eventLoop: NIOIsolatedEventLoop
  private let action: () -> Void
  private var pending: NIOScheduledCallback?

  /// A timer that is not set; to be made on its event loop.
  init(on eventLoop: any EventLoop, action: @escaping () -> Void) {
    self.eventLoop = eventLoop.assumeIsolated()
    self.action = action
  }

  /// Sets it to a moment of `MonotonicClock`, which is the clock of the event loop too.
  func set(_ moment: Int64) {
    pending?.cancel()
    let deadline = NIODeadline.uptimeNanoseconds(UInt64(clamping: moment))
    pending = try? eventLoop.scheduleCallback(at: deadline, handler: self)
  }

  func cancel() {
    pending?.cancel()
    pending = nil
  }

  func handleScheduledCallback(eventLoop: some EventLoop) {
    pending = nil
    action()
  }
}
