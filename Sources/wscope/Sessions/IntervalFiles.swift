import LoadTesting
import Terminal

/// The files that grow during a run of `bench`. A slow reader of one of them delays these files, but not the
/// run.
final class IntervalFiles: Sendable {
  private enum Event: Sendable {
    case began(Int64)
    case ended(LoadStretch)
  }

  private let post: AsyncStream<Event>.Continuation
  private let writing: Task<ExitStatus, Never>

  /// Opens the files. Call `finish` in any case.
  ///
  /// - Parameters:
  ///   - files: The files to write; an existing one is overwritten.
  ///   - targetRate: Messages per second that the run should send; nil in the closed model.
  ///   - context: Where to warn about a file that can no longer be written.
  /// - Throws: `CommandFailure` for a file that cannot be opened.
  init(
    _ files: [ReportOutputs.IntervalFile], targetRate: Double?, _ context: CommandContext
  ) throws {
    let outputs = try files.map { ($0.format, try AppendedFile(growing: $0.path)) }
    let (events, post) = AsyncStream.makeStream(of: Event.self)
    self.post = post
    writing = Task {
      var status = ExitStatus.ok
      var open = outputs
      for await event in events {
        open.removeAll { format, file in
          let text =
            switch event {
            case .began(let time): format.header(started: time)
            case .ended(let stretch): format.lines(stretch, targetRate: targetRate)
            }
          do throws(SystemError) {
            try file.append(Array(text.utf8))
            return false
          } catch {
            context.warn("cannot write \(file.path): \(error.reason); the run goes on without it")
            status = .outputFailed
            return true
          }
        }
      }
      return status
    }
  }

  /// What the files follow a run by.
  var observer: LoadObserver {
    LoadObserver(
      began: { [post] in post.yield(.began($0)) }, ended: { [post] in post.yield(.ended($0)) })
  }

  /// Writes what is left.
  ///
  /// - Returns: `.ok`, or the status for a file that is incomplete.
  func finish() async -> ExitStatus {
    post.finish()
    return await writing.value
  }
}
