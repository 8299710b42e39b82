import Conversation
import NIOCore
import Synchronization
import Terminal

/// A run without a prompt, which ends by itself.
protocol OneShot: Sendable {
  /// - Throws: `CommandFailure`.
  func run() async throws -> ExitStatus
  /// Starts closing; returns false if there is no connection to close yet.
  func end(for signal: TerminalSignal) -> Bool
  /// Adds the reason for an early end to the reports.
  func reportInterruption(_ words: String)
}

/// `--repeat` and `--interval`.
struct Repetition: Sendable {
  /// At least 1.
  var count: Int
  /// Time from the start of one run to the start of the next, in nanoseconds; a longer run delays
  /// the next one.
  var interval: Int64
}

/// The runs of one command, one after the other, with shared handling of signals; at the end their
/// reports are written.
final class RunSeries: Sendable {
  private let repetition: Repetition?
  private let environment: RunEnvironment
  private let current = Mutex<(any OneShot)?>(nil)
  private let interruption = Mutex<TerminalSignal?>(nil)

  init(_ repetition: Repetition?, _ environment: RunEnvironment) {
    self.repetition = repetition
    self.environment = environment
  }

  /// - Parameter make: creates the run with a number, counted from 1.
  /// - Throws: `CommandFailure`.
  /// - Returns: the exit code of the first run that failed, or 0.
  func run(_ make: @Sendable (Int) -> any OneShot) async throws -> ExitStatus {
    let watch = Task { await watchSignals() }
    let clock = environment.maxTime.map { limit in Task { try await watchTime(limit) } }
    defer {
      watch.cancel()
      clock?.cancel()
    }
    var status = ExitStatus.ok
    if let repetition {
      status = try await repeated(repetition, make)
    } else {
      status = try await once(make(1))
    }
    let isWritten = environment.reporter.write()
    guard status == .ok else { return status }
    return isWritten && !environment.recorder.hasFailed ? .ok : .outputFailed
  }

  private func once(_ run: any OneShot) async throws -> ExitStatus {
    current.withLock { $0 = run }
    defer { current.withLock { $0 = nil } }
    return try await run.run()
  }

  private func repeated(
    _ repetition: Repetition, _ make: @Sendable (Int) -> any OneShot
  ) async throws -> ExitStatus {
    var statuses: [ExitStatus] = []
    while statuses.count < repetition.count, interruption.withLock({ $0 == nil }) {
      let number = statuses.count + 1
      let began = NIODeadline.now()
      environment.reporter.begin("run \(number): ")
      let status = try await once(make(number))
      statuses.append(status)
      tell(number, of: repetition.count, status, after: NIODeadline.now() - began)
      let pause = repetition.interval - (NIODeadline.now() - began).nanoseconds
      if pause > 0, number < repetition.count, interruption.withLock({ $0 == nil }) {
        try? await Task.sleep(for: .nanoseconds(pause))
      }
    }
    let failures = statuses.count { $0 != .ok }
    let summary =
      "\(statuses.count) of \(repetition.count) runs: "
      + "\(statuses.count - failures) ok, \(failures) failed"
    if failures == 0 {
      environment.context.inform(summary)
    } else {
      environment.context.warn(summary)
    }
    if let signal = interruption.withLock({ $0 }) { return ExitStatus(signal) }
    return statuses.first { $0 != .ok } ?? .ok
  }

  private func tell(_ number: Int, of count: Int, _ status: ExitStatus, after time: TimeAmount) {
    let name = "run \(number) of \(count)"
    let duration = Figures.shortDuration(time.nanoseconds)
    guard status != .ok else {
      environment.context.inform("\(name): ok in \(duration)")
      return
    }
    environment.context.warn(
      "\(name): exit code \(status.rawValue), \(status.meaning), in \(duration)")
  }

  /// Ends the process at the time limit, without waiting for a closing handshake.
  private func watchTime(_ limit: MaxTime) async throws {
    try await limit.pass(since: environment.start)
    let words = limit.message
    environment.context.explain(Diagnosis(cause: words))
    current.withLock { $0 }?.reportInterruption(words)
    _ = environment.reporter.write()
    TerminalState.restore()
    Process.exit(.timeout)
  }

  private func watchSignals() async {
    for await signal in environment.context.signals.events {
      guard signal == .interrupt || signal == .terminate || signal == .hangup else { continue }
      let run = current.withLock { $0 }
      let isSecond = interruption.withLock { first in
        defer { first = first ?? signal }
        return first != nil
      }
      if !isSecond, let run, run.end(for: signal) { continue }
      run?.reportInterruption(signal.message)
      _ = environment.reporter.write()
      TerminalState.restore()
      Process.exit(ExitStatus(signal))
    }
  }
}

extension ExitStatus {
  /// The exit code of a command that a signal has ended.
  init(_ signal: TerminalSignal) {
    self = signal == .interrupt ? .interrupted : .terminated
  }
}

extension TerminalSignal {
  /// The text for the reports.
  var message: String {
    switch self {
    case .interrupt: "ended by SIGINT"
    case .hangup: "ended by SIGHUP"
    default: "ended by SIGTERM"
    }
  }
}
