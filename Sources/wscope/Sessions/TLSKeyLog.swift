import NIOCore
import Synchronization
import Terminal

/// The file that `SSLKEYLOGFILE` names: with it, a recording of the traffic can be read (Wireshark and
/// others). Made for its owner only when the first key is written, which is told once.
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

  /// Adds a line; what cannot be written is told once, and keeps no connection from its work.
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
      context.warn("SSLKEYLOGFILE: \((error as? CommandFailure)?.words ?? "cannot write \(path)")")
      return .failed
    }
  }
}
