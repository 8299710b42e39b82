import Synchronization

/// Counts the processes of a server.
final class ProgramTable: Sendable {
  private struct State {
    var running = 0
    var whenEmpty: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())
  private let limit: Int

  /// - Parameter limit: Maximum number of processes at a time.
  init(limit: Int) {
    self.limit = limit
  }

  /// The number of processes.
  var running: Int { state.withLock { $0.running } }

  /// - Returns: A slot, which becomes free when it is released; nil if all are taken.
  func take() -> ProgramSlot? {
    let isTaken = state.withLock { state in
      guard state.running < limit else { return false }
      state.running += 1
      return true
    }
    return isTaken ? ProgramSlot(of: self) : nil
  }

  /// Waits until all slots are free.
  func allEnded() async {
    await withCheckedContinuation { continuation in
      let isEmpty = state.withLock { state in
        if state.running > 0 { state.whenEmpty.append(continuation) }
        return state.running == 0
      }
      if isEmpty { continuation.resume() }
    }
  }

  fileprivate func release() {
    let waiting = state.withLock { state in
      state.running -= 1
      guard state.running == 0 else { return [CheckedContinuation<Void, Never>]() }
      defer { state.whenEmpty = [] }
      return state.whenEmpty
    }
    for continuation in waiting { continuation.resume() }
  }
}

/// The slot of one process, from the verdict on a request to the end of the process.
final class ProgramSlot: Sendable {
  private let table: ProgramTable

  fileprivate init(of table: ProgramTable) {
    self.table = table
  }

  deinit { table.release() }
}
