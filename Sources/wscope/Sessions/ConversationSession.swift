import Conversation
import NIOCore
import NIOPosix
import Synchronization
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// `send`, and `connect` without a terminal: sends messages, prints received ones, and returns an
/// exit code. No message is lost before the connection is open or after the input has ended.
final class ConversationSession: OneShot {
  private let configuration: ConversationConfiguration
  private let environment: RunEnvironment
  private let judge: ConversationJudge
  /// The number of its first connection.
  private let number: Int
  /// Why the session is being ended early.
  private let ending = Mutex<Ending?>(nil)
  private let circumstances = Mutex(CloseCircumstances())
  private let reconnector = Mutex<Reconnector?>(nil)
  /// Messages read from the input, but not sent because the connection was lost.
  private let unsent = Mutex<[OutgoingMessage]>([])

  private enum Ending: Sendable, Equatable {
    case timedOut(waited: Int64)
    case signal(TerminalSignal)
    case outputClosed
    case failed(ExitStatus)
  }

  init(
    _ configuration: ConversationConfiguration, number: Int, _ environment: RunEnvironment
  ) {
    self.configuration = configuration
    self.environment = environment
    self.number = number
    judge = ConversationJudge(configuration, environment)
  }

  private var context: CommandContext { environment.context }
  private var recorder: Recorder { environment.recorder }
  private var output: EventOutput { environment.output }

  func run() async -> ExitStatus {
    let opening = OpeningConnection(
      configuration.client, reaction: configuration.reaction, command: configuration.command,
      patience: configuration.waitUp.map { WaitUp($0, isEnough: judge.expects) },
      isVerbose: output.isVerbose, context)
    switch await opening.result {
    case .success(let connection): return await converse(connection)
    case .failure(let error):
      if case .refused(let refusal) = error {
        recorder.write(connection: number) { $0.refused(refusal, recorder.showsSecrets) }
      }
      try? output.notOpened(error, opening.transcript.heads, number)
      return judge.failed(error, opening)
    }
  }

  func end(for signal: TerminalSignal) -> Bool {
    ending.withLock { $0 = $0 ?? .signal(signal) }
    // Before the connection is open, there is nothing to close.
    guard judge.hasOpened else { return false }
    Task { await leave() }
    return true
  }

  func reportInterruption(_ words: String) {
    _ = judge.concluded(.ok, failure: words)
  }

  private func converse(_ first: Connection) async -> ExitStatus {
    let reconnector = Reconnector(
      first, to: configuration.client, policy: configuration.reconnect,
      open: { [configuration] client in
        try await Connection.open(
          client, reaction: configuration.reaction,
          on: MultiThreadedEventLoopGroup.singleton.next())
      }, tell: { self.tell($0) })
    self.reconnector.withLock { $0 = reconnector }
    let input = InputSource(configuration.input)
    let status = await reconnector.run { connection, count in
      await self.talk(connection, self.number + count - 1, input)
    }
    timer.withLock { $0?.cancel() }
    let outcome = outcome.withLock { $0 }
    // If an attempt to reconnect failed, its error has been reported already.
    guard await reconnector.isLeaving || status == ExitStatus(outcome) else { return status }
    return finish(outcome, isLeaving: await reconnector.isLeaving)
  }

  /// How the last connection ended.
  private let outcome = Mutex(CloseOutcome.lost(.abandoned))

  private func talk(
    _ connection: Connection, _ number: Int, _ input: InputSource
  ) async -> (CloseOutcome, CloseCircumstances) {
    recorder.connected(number: number)
    circumstances.withLock { $0 = CloseCircumstances(connection.info) }
    reportOpening(connection.info, number)
    let sender = Task {
      await sendAll(from: input, on: connection)
      awaitEnd()
    }
    var outcome = CloseOutcome.lost(.abandoned)
    var compression: CompressionTraffic?
    for await burst in connection.events {
      for event in burst {
        if case .ended(let ended, _, let compressed) = event {
          outcome = ended
          compression = compressed
        }
        circumstances.withLock { $0.heard(event) }
        recorder.write(event)
        await handle(event, number)
      }
    }
    sender.cancel()
    await sender.value
    try? output.ended(outcome, compression, number)
    self.outcome.withLock { $0 = outcome }
    return (outcome, circumstances.withLock { $0 })
  }

  private func tell(_ notice: Reconnector.Notice) {
    switch notice {
    case .failed(let error, let client):
      context.explain(
        Diagnostician(
          command: configuration.command, configuration: client
        ).diagnose(error))
    case .waiting(let pause, let attempt, let limit):
      // Report this only now that the session is certain to continue.
      if attempt == 1 {
        context.warn(
          CloseText.line(
            outcome.withLock { $0 }, circumstances.withLock { $0 }))
      }
      let count = limit.map { " of \($0)" } ?? ""
      context.inform("reconnecting in \(Figures.duration(pause)) (attempt \(attempt)\(count))")
    case .ended, .opening, .stranded:
      break
    }
  }

  private func leave() async {
    await reconnector.withLock { $0 }?.leave(CloseFrame(.normal))
  }

  // MARK: Sending

  private func sendAll(from input: InputSource, on connection: Connection) async {
    do {
      try await send(configuration.messages, on: connection)
      let again = unsent.withLock { messages in
        defer { messages = [] }
        return messages
      }
      try await send(again, on: connection)
      while let batch = try await input.nextBatch() { try await send(batch, on: connection) }
      // The loss of a connection is not the end of the input.
      guard !Task.isCancelled else { return }
    } catch let error as SystemError {
      await fail(.usage, "cannot read standard input: \(error.reason)")
    } catch let error as InputError {
      await fail(.usage, error.message)
    } catch {
      // The connection is closing; the events contain the reason.
      if configuration.reconnect != nil { return }
    }
    let now = Self.now
    judge.withConversation { $0.sentAll(at: now) }
  }

  private func send(_ messages: [OutgoingMessage], on connection: Connection) async throws {
    guard !messages.isEmpty else { return }
    let now = Self.now
    judge.withConversation { $0.sending(messages.count, at: now) }
    // Recorded first: replies may arrive before the send returns.
    for message in messages { recorder.write { $0.sent(message) } }
    do {
      try await connection.send(messages)
    } catch {
      // The messages of the command line are sent on every open anyway.
      if messages != configuration.messages { unsent.withLock { $0 += messages } }
      throw error
    }
  }

  // MARK: Ending

  /// Starts or restarts the wait for the end, which may now be nearer.
  private func awaitEnd() {
    timer.withLock { timer in
      timer?.cancel()
      timer = Task { await waitUntilOver() }
    }
  }

  private let timer = Mutex<Task<Void, Never>?>(nil)

  /// The verdict; `finished` ends the conversation.
  private static func verdict(
    of conversation: inout Conversation, at time: Int64
  ) -> Conversation.Verdict {
    let verdict = conversation.verdict(at: time)
    if case .finished = verdict { conversation.end() }
    return verdict
  }

  /// Closes when the conversation is over according to its timing.
  private func waitUntilOver() async {
    while !Task.isCancelled {
      let now = Self.now
      switch judge.withConversation({ Self.verdict(of: &$0, at: now) }) {
      case .finished:
        await leave()
        return
      case .timedOut(let waited):
        judge.withConversation { $0.end() }
        ending.withLock { $0 = $0 ?? .timedOut(waited: waited) }
        await leave()
        return
      case .goOn(let until):
        guard let until else { return }
        do {
          try await Task.sleep(for: .nanoseconds(until - now))
        } catch {
          return
        }
      }
    }
  }

  private func fail(_ status: ExitStatus, _ words: String) async {
    context.console.note(context.style(.red, "wscope: \(words)"))
    ending.withLock { $0 = $0 ?? .failed(status) }
    await leave()
  }

  private func finish(_ outcome: CloseOutcome, isLeaving: Bool) -> ExitStatus {
    let ended = ending.withLock { $0 }
    switch ended {
    case .failed(let status): return status
    case .outputClosed: return .ok
    case .signal(let signal):
      guard case .fails = configuration.interruption else { return .ok }
      _ = judge.concluded(.ok, failure: signal.message)
      return ExitStatus(signal)
    case .timedOut(let waited):
      return judge.ended(
        outcome, circumstances.withLock { $0 }, waited: waited, isLeaving: isLeaving)
    case nil:
      return judge.ended(
        outcome, circumstances.withLock { $0 }, waited: nil, isLeaving: isLeaving)
    }
  }

  // MARK: Receiving

  private func reportOpening(_ info: HandshakeInfo, _ number: Int) {
    judge.open(info)
    // The deadline starts now, even if there is much to send.
    if configuration.policy.within != nil { awaitEnd() }
    recorder.write { $0.opened(info) }
    context.warnAboutIgnoredFields(info)
    try? output.opened(info, number, isAgain: number > self.number)
  }

  private func handle(_ event: ConnectionEvent, _ number: Int) async {
    await show(event, number)
    guard case .message(let kind, let payload, _, let time) = event else { return }
    let now = Int64(time.uptimeNanoseconds)
    let (isNearer, verdict) = judge.withConversation { conversation in
      let isNearer = conversation.received(
        kind, Array(payload.readableBytesView), at: now)
      return (isNearer, Self.verdict(of: &conversation, at: now))
    }
    switch verdict {
    case .finished: await leave()
    case .goOn(let until?) where isNearer && until > 0: awaitEnd()
    case .goOn, .timedOut: break
    }
  }

  private func show(_ event: ConnectionEvent, _ number: Int) async {
    // A failed write is reported once.
    guard ending.withLock({ $0 != .outputClosed && $0 != .failed(.outputFailed) }) else { return }
    do throws(OutputError) {
      try output.show(event, number)
    } catch {
      switch error {
      case .closed:
        // The reader has closed the stream, as with `| head`: exit quietly.
        ending.withLock { $0 = $0 ?? .outputClosed }
        await leave()
      case .failed(let code, let stream):
        await fail(
          .outputFailed, "cannot write \(stream): \(SystemError(code: code).reason)")
      }
    }
  }

  private static var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }
}
