import NIOCore
import Synchronization
import Terminal

/// The file named by `SSLKEYLOGFILE`, with which Wireshark and other programs can decrypt recorded
/// traffic. It is created with the first key, readable by its owner only, and reported once.
final class TLSKeyLog: Sendable {
  private enum State {
    case unused
    case open(AppendedFile)
    case failed
  }

  private let path: String
  private let context: CommandContext
  private let state = Mutex(State.unused)

  init(_ path: String, _ context: CommandContext) {
    self.path = path
    self.context = context
  }

  /// Adds a line; a failed write is reported once, and does not affect the connection.
  func append(_ line: ByteBuffer) {
    state.withLock { state in
      if case .unused = state { state = open() }
      guard case .open(let file) = state else { return }
      do throws(SystemError) {
        try file.append(Array(line.readableBytesView))
      } catch {
        context.warn("SSLKEYLOGFILE: cannot write \(path): \(error.reason)")
        state = .failed
      }
    }
  }

  private func open() -> State {
    do {
      let file = try AppendedFile(addingTo: path)
      context.console.note(
        "wscope: SSLKEYLOGFILE: the TLS keys of this run are written to \(path); anyone with them can read "
          + "its traffic")
      return .open(file)
    } catch {
      context.warn(
        "SSLKEYLOGFILE: \((error as? CommandFailure)?.message ?? "cannot write \(path)")")
      return .failed
    }
  }
}
