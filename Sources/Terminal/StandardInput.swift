import Glibc

/// Messages from an input that is not a terminal: a pipe, a file, /dev/null.
///
/// A separate thread reads, because a file cannot be polled and polling a pipe at its end is
/// unreliable. The consumer pulls; the reader is at most `readAhead` bytes ahead of it.
package final class StandardInput: Sendable {
  private enum Ending: Sendable {
    case endOfInput
    case failure(SystemError)
  }

  private struct State: Sendable {
    var isStarted = false
    var chunks: [[UInt8]] = []
    var byteCount = 0
    var ending: Ending?
    /// The consumer, if it is waiting.
    var consumer: CheckedContinuation<Void, Never>?
    var splitter: MessageSplitter
  }

  private static let chunkSize = 64 * 1024
  private let descriptor: Int32
  private let readAhead: Int
  private let state: Monitor<State>

  /// - Parameters:
  ///   - descriptor: the descriptor to read from.
  ///   - boundary: the boundary between messages.
  ///   - readAhead: the number of bytes that may be read before the consumer asks for them.
  package init(
    descriptor: Int32 = STDIN_FILENO, boundary: MessageSplitter.Boundary,
    readAhead: Int = 256 * 1024
  ) {
    self.descriptor = descriptor
    self.readAhead = readAhead
    state = Monitor(State(splitter: MessageSplitter(boundary)))
  }

  /// Waits for the next messages; for one consumer at a time.
  ///
  /// - Returns: all complete messages in the data read so far, at least one; nil at the end of the
  ///   input (a closed descriptor counts as its end), and when the task is cancelled.
  /// - Throws: `SystemError` if the input cannot be read (EISDIR: it is a directory), after all
  ///   messages before the failure have been returned.
  package func nextBatch() async throws(SystemError) -> [[UInt8]]? {
    startOnce()
    while !Task.isCancelled {
      let taken = state.withLock { state in
        let chunks = state.chunks
        state.chunks.removeAll()
        state.byteCount = 0
        var messages = chunks.flatMap { state.splitter.feed($0) }
        if state.ending != nil, let last = state.splitter.finish() { messages.append(last) }
        return (messages, state.ending)
      }
      if !taken.0.isEmpty { return taken.0 }
      switch taken.1 {
      case nil: await waitForInput()
      case .endOfInput: return nil
      case .failure(let error): throw error
      }
    }
    return nil
  }

  private func waitForInput() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state in
          if !state.chunks.isEmpty || state.ending != nil || Task.isCancelled { return true }
          state.consumer = continuation
          return false
        }
        if isReady { continuation.resume() }
      }
    } onCancel: {
      wakeConsumer()
    }
  }

  private func wakeConsumer() {
    let consumer = state.withLock { state in
      defer { state.consumer = nil }
      return state.consumer
    }
    consumer?.resume()
  }

  private func startOnce() {
    let isFirst = state.withLock { state in
      defer { state.isStarted = true }
      return !state.isStarted
    }
    if isFirst { DedicatedThread { self.readAll() }.detach() }
  }

  private func readAll() {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.chunkSize, alignment: 1)
    defer { buffer.deallocate() }
    var ending: Ending?
    while ending == nil {
      var chunk: [UInt8] = []
      do {
        let count = try readSome(into: buffer, from: descriptor)
        chunk = Array(buffer[..<count])
        if count == 0 { ending = .endOfInput }
      } catch {
        ending = error.code == EBADF ? .endOfInput : .failure(error)
      }
      state.withLock(when: { $0.byteCount == 0 || $0.byteCount + chunk.count <= readAhead }) {
        if !chunk.isEmpty { $0.chunks.append(chunk) }
        $0.byteCount += chunk.count
        $0.ending = ending
      }
      wakeConsumer()
    }
  }
}
