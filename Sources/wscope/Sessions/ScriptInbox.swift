import Conversation
import NIOCore

/// The events of all connections of a script, in a single queue. A connection is not read while the
/// script pauses it or while many events are queued.
actor ScriptInbox {
  private var events: [ScriptMachine.Event] = []
  private var next = 0
  private var paused: Set<ScriptMachine.ConnectionID> = []
  private var waiter: CheckedContinuation<Void, Never>?
  private var feeders: [CheckedContinuation<Void, Never>] = []
  private var isClosed = false

  private static let maxWaiting = 1024

  func post(_ event: ScriptMachine.Event) {
    guard !isClosed else { return }
    events.append(event)
    wake()
  }

  /// Adds an event of a connection, and returns when the connection may be read again.
  func take(_ event: ScriptMachine.Event, from id: ScriptMachine.ConnectionID) async {
    post(event)
    while !isClosed, paused.contains(id) || events.count - next > Self.maxWaiting {
      await withCheckedContinuation { feeders.append($0) }
    }
  }

  func setPaused(_ id: ScriptMachine.ConnectionID, _ isPaused: Bool) {
    if isPaused { paused.insert(id) } else { paused.remove(id) }
    resumeFeeders()
  }

  /// The next event, `due` at the deadline, or nil when the inbox is closed.
  func event(until deadline: NIODeadline?) async -> ScriptMachine.Event? {
    while true {
      if isClosed { return nil }
      if next < events.count {
        let event = events[next]
        next += 1
        if next > Self.maxWaiting / 2 || next == events.count {
          events.removeFirst(next)
          next = 0
        }
        resumeFeeders()
        return event
      }
      if let deadline, deadline <= .now() { return .due }
      let timer = deadline.map { deadline in
        Task {
          try await Task.sleep(for: .nanoseconds((deadline - .now()).nanoseconds))
          wake()
        }
      }
      await withCheckedContinuation { waiter = $0 }
      timer?.cancel()
    }
  }

  /// Ends all waits; later events are dropped.
  func close() {
    isClosed = true
    wake()
    resumeFeeders()
  }

  private func wake() {
    waiter?.resume()
    waiter = nil
  }

  private func resumeFeeders() {
    let waiting = feeders
    feeders = []
    for feeder in waiting { feeder.resume() }
  }
}
