import NIOCore

/// A reusable timer on an event loop; setting it allocates nothing.
final class LoopTimer: NIOScheduledCallbackHandler {
  private let eventLoop: NIOIsolatedEventLoop
  private let action: () -> Void
  private var pending: NIOScheduledCallback?

  /// Creates a timer that is not set. Must be called on `eventLoop`.
  init(on eventLoop: any EventLoop, action: @escaping () -> Void) {
    self.eventLoop = eventLoop.assumeIsolated()
    self.action = action
  }

  /// Sets the due time, replacing an earlier one, in nanoseconds of `MonotonicClock`. The event
  /// loop uses the same clock.
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
