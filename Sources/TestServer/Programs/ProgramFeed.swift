import NIOCore
import NIOPosix

/// One process whose output goes to all clients of a server.
package final class ProgramFeed: Sendable {
  private let process: ServedProcess

  /// The descriptor to read its output from. The caller closes it.
  package var output: CInt { process.streams.output }

  /// Starts the process, whose input is empty.
  ///
  /// - Parameters:
  ///   - program: The program.
  ///   - report: Called for each line of its standard error, and for its end. Must not block.
  /// - Throws: `ProgramFailure`.
  package init(
    _ program: ServedProgram, report: @escaping @Sendable (ProgramEvent) -> Void
  ) throws(ProgramFailure) {
    let process: ServedProcess
    do throws(SystemFailure) {
      process = try ServedProcess(
        program, environment: program.environment, hasInput: false, slot: nil)
    } catch {
      throw ProgramFailure(reason: error.reason)
    }
    self.process = process
    let start = NIODeadline.now()
    Task {
      let end = await process.end
      report(.ended(end, after: .now() - start))
    }
    _ = ProgramOutput.open(
      process.streams.errors, .newline, limit: ServedProgram.maxErrorLine, readsOn: true,
      on: MultiThreadedEventLoopGroup.singleton.next()
    ) { event in
      guard case .messages(let lines) = event else { return }
      for line in lines { report(.errorLine(String(buffer: line))) }
    }
  }

  /// Ends the process and what it started.
  package func stop() async {
    process.terminate()
    _ = await process.end
    process.release()
  }
}

/// A program that cannot be run.
package struct ProgramFailure: Error {
  /// Without a capital letter and a full stop.
  package var reason: String
}

extension ServedProgram {
  /// Checks that the program can be run.
  ///
  /// - Throws: `ProgramFailure`.
  package func check() throws(ProgramFailure) {
    let path = environment["PATH"] ?? ""
    guard let reason = ServedProcess.problem(running: command[0], path: path) else { return }
    throw ProgramFailure(reason: reason)
  }
}
