import Conversation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// `send`, and `connect` without a terminal: messages out, messages in, and an exit code. Nothing is
/// lost before the connection is open, and nothing after the input has ended.
final class ConversationSession: Sendable {
  private let configuration: ConversationConfiguration
  private let context: CommandContext
  private let conversation: Mutex<Conversation>
  /// Why the session is being ended before its time.
  private let ending = Mutex<Ending?>(nil)
  private let start = NIODeadline.now()
  private let recorder: Recorder
  private let reporter: ExpectationReporter
  private let opened = Mutex<NIODeadline?>(nil)
  private let reconnector = Mutex<Reconnector?>(nil)
  /// Taken from the input, and not sent because the connection was lost.
  private let unsent = Mutex<[OutgoingMessage]>([])

  private enum Ending: Sendable, Equatable {
    case timedOut(waited: Int64)
    case signal(TerminalSignal)
    case outputClosed
    case failed(ExitStatus)
  }

  init(_ configuration: ConversationConfiguration, _ context: CommandContext) {
    self.configuration = configuration
    self.context = context
    conversation = Mutex(
      Conversation(configuration.policy, expecting: configuration.expectations))
    let url = "\(configuration.client.url)"
    reporter = ExpectationReporter(
      configuration.report,
      name: "wscope \(configuration.command) "
        + (configuration.showsSecrets ? url : Redaction.url(url)), start: start, context)
    recorder = Recorder(start: start, showsSecrets: configuration.showsSecrets) {
      context.warn($0)
    }
  }

  /// - Throws: `CommandFailure` if it cannot be recorded.
  func run() async throws -> ExitStatus {
    if let recording = configuration.recording {
      try recorder.begin(
        recording.path, overwriting: recording.overwrites, url: "\(configuration.client.url)")
    }
    let opening = OpeningConnection(
      configuration.client, reaction: configuration.reaction, command: configuration.command,
      context)
    let watch = Task { await watchSignals() }
    defer { watch.cancel() }
    switch await opening.result {
    case .success(let connection): return await converse(connection)
    case .failure(let error): return failed(error, opening)
    }
  }

  /// The exit code when the connection does not open, which may be what was expected.
  private func failed(_ error: ConnectError, _ opening: OpeningConnection) -> ExitStatus {
    let isJudged = configuration.expectations.contains {
      if case .status = $0 { true } else { false }
    }
    guard case .refused(let refusal) = error, isJudged else {
      return concluded(
        opening.explain(error), failure: opening.diagnosis(of: error, escapes: true).cause)
    }
    let isExpected = conversation.withLock { conversation in
      conversation.refused(status: Int(refusal.head.status.code), at: Self.now)
      return conversation.results.contains(where: \.isMet)
    }
    if !isExpected { _ = opening.explain(error) }
    return concluded(.ok, failure: nil)
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
    let status = await reconnector.run { connection, number in
      await self.talk(connection, number, input)
    }
    timer.withLock { $0?.cancel() }
    let outcome = outcome.withLock { $0 }
    // An attempt to open it again has failed, and was explained.
    guard await reconnector.isLeaving || status == ExitStatus(outcome) else { return status }
    let ended = finish(outcome, isLeaving: await reconnector.isLeaving)
    return ended == .ok && recorder.hasFailed ? .outputFailed : ended
  }

  /// How the last connection ended.
  private let outcome = Mutex(CloseOutcome.lost(.abandoned))

  private func talk(
    _ connection: Connection, _ number: Int, _ input: InputSource
  ) async -> CloseOutcome {
    recorder.connected(number: number)
    tellOpened(connection.info, number)
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
        recorder.write(event)
        await handle(event, number)
      }
    }
    sender.cancel()
    await sender.value
    if configuration.isVerbose, let compression {
      for line in HandshakeText.lines(compression) { context.inform(line) }
    }
    if case .jsonLines = configuration.format {
      try? context.console.payload(JSONLines(start: start, connection: number).ended(outcome))
    }
    self.outcome.withLock { $0 = outcome }
    return outcome
  }

  private func tell(_ notice: Reconnector.Notice) {
    switch notice {
    case .failed(let error, let client):
      context.explain(
        Diagnostician(
          command: configuration.command, configuration: client,
          escapes: context.console.standardErrorIsTerminal
        ).diagnose(error))
    case .waiting(let pause, let attempt, let limit):
      // Only now is it clear that the session goes on.
      if attempt == 1 {
        let escapes = context.console.standardErrorIsTerminal
        context.warn(CloseWords.line(outcome.withLock { $0 }, escapes: escapes))
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
      // A connection that is lost is no end of the input.
      guard !Task.isCancelled else { return }
    } catch let error as SystemError {
      await fail(.usage, "cannot read standard input: \(error.reason)")
    } catch let error as InputError {
      await fail(.usage, error.words)
    } catch {
      // The connection is closing; the events say why.
      if configuration.reconnect != nil { return }
    }
    let now = Self.now
    conversation.withLock { $0.sentAll(at: now) }
  }

  private func send(_ messages: [OutgoingMessage], on connection: Connection) async throws {
    guard !messages.isEmpty else { return }
    let now = Self.now
    conversation.withLock { $0.sending(messages.count, at: now) }
    do {
      try await connection.send(messages)
    } catch {
      // The messages of the command line are sent on every open anyway.
      if messages != configuration.messages { unsent.withLock { $0 += messages } }
      throw error
    }
    for message in messages { recorder.write { $0.sent(message) } }
  }

  // MARK: Ending

  /// (Re)starts the wait for the end, since it may have come nearer.
  private func awaitEnd() {
    timer.withLock { timer in
      timer?.cancel()
      timer = Task { await waitUntilOver() }
    }
  }

  private let timer = Mutex<Task<Void, Never>?>(nil)

  /// The verdict; one that ends it is the last.
  private static func judge(
    _ conversation: inout Conversation, at time: Int64
  ) -> Conversation.Verdict {
    let verdict = conversation.verdict(at: time)
    if case .finished = verdict { conversation.end() }
    return verdict
  }

  /// Closes when the conversation is over, by time.
  private func waitUntilOver() async {
    while !Task.isCancelled {
      let now = Self.now
      switch conversation.withLock({ Self.judge(&$0, at: now) }) {
      case .finished:
        await leave()
        return
      case .timedOut(let waited):
        conversation.withLock { $0.end() }
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

  private func watchSignals() async {
    var isSecond = false
    for await signal in context.signals.events {
      guard signal == .interrupt || signal == .terminate || signal == .hangup else { continue }
      let status = Self.status(signal)
      if isSecond { exitNow(status) }
      isSecond = true
      ending.withLock { $0 = $0 ?? .signal(signal) }
      // Before the connection is open there is nothing to say goodbye to.
      if !hasOpened.load(ordering: .acquiring) { exitNow(status) }
      Task { await leave() }
    }
  }

  private let hasOpened = Atomic<Bool>(false)

  private static func status(_ signal: TerminalSignal) -> ExitStatus {
    signal == .interrupt ? .interrupted : .terminated
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
      if case .ends = configuration.interruption { return .ok }
      return Self.status(signal)
    case .timedOut, nil: break
    }
    let status = judged(outcome, isLeaving: isLeaving)
    if status != .ok || configuration.isVerbose {
      let words = CloseWords.line(outcome, escapes: context.console.standardErrorIsTerminal)
      if status == .ok { context.inform(words) } else { context.warn(words) }
    }
    guard case .timedOut(let waited) = ended, status == .ok else {
      return concluded(
        status, failure: status == .ok ? nil : CloseWords.line(outcome, escapes: true),
        hangs: outcome == .lost(.timedOut(.closingHandshake)))
    }
    let timeout =
      "timed out after \(Figures.shortDuration(waited)) waiting for a reply (--wait)"
    context.explain(Diagnosis(cause: timeout))
    return concluded(.timeout, failure: timeout)
  }

  /// The exit code for how the connection ended: where a Close was expected, that decides.
  private func judged(_ outcome: CloseOutcome, isLeaving: Bool) -> ExitStatus {
    let status = ExitStatus(outcome)
    guard status == .ok || status == .unexpectedCloseCode || status == .connectionLost else {
      return status
    }
    let expectsClose = configuration.expectations.contains {
      if case .close = $0 { true } else { false }
    }
    let now = Self.now
    switch outcome {
    case .closed(let frame, let initiator):
      conversation.withLock {
        $0.closed(
          frame.reportedCode, reason: frame.reason, byPeer: initiator == .peer, at: now)
      }
      let isAccepted = configuration.acceptedCloses?.contains(frame.reportedCode) ?? false
      return isAccepted || (expectsClose && initiator == .peer) ? .ok : status
    case .lost(let end):
      conversation.withLock {
        $0.closed(.abnormal, reason: CloseWords.words(end), byPeer: !isLeaving, at: now)
      }
      return expectsClose && !isLeaving ? .ok : status
    case .failed:
      return status
    }
  }

  /// Tells how the expectations went.
  ///
  /// - Parameters:
  ///   - status: how the rest went.
  ///   - failure: what went wrong there.
  ///   - hangs: whether no Close came back from the peer.
  /// - Returns: the exit code of all.
  private func concluded(
    _ status: ExitStatus, failure: String?, hangs: Bool = false
  ) -> ExitStatus {
    let results = conversation.withLock { $0.finalResults(at: Self.now) }
    let isWritten = reporter.report(
      results, opened: opened.withLock { $0 }, failure: failure)
    let isAsExpected = results.allSatisfy(\.isMet)
    // A peer that hangs does not answer our Close either: what it owed before counts more.
    if hangs, !isAsExpected { return .expectationFailed }
    guard status == .ok else { return status }
    guard isAsExpected else { return .expectationFailed }
    return isWritten ? .ok : .outputFailed
  }

  // MARK: Receiving

  private func tellOpened(_ info: HandshakeInfo, _ number: Int) {
    hasOpened.store(true, ordering: .releasing)
    let now = NIODeadline.now()
    opened.withLock { $0 = $0 ?? now }
    conversation.withLock {
      $0.opened(subprotocol: info.subprotocol, at: Int64(now.uptimeNanoseconds))
    }
    // The deadline runs although there may be much to send.
    if configuration.policy.within != nil { awaitEnd() }
    recorder.write { $0.opened(info) }
    if configuration.isVerbose {
      let text = HandshakeText(
        info: info, escapes: context.console.standardErrorIsTerminal,
        showsSecrets: configuration.showsSecrets)
      for line in text.lines { context.inform(line) }
    } else if number > 1 {
      context.inform("connected again")
    }
    if case .jsonLines = configuration.format {
      try? context.console.payload(JSONLines(start: start, connection: number).opened(info))
    }
  }

  private func handle(_ event: ConnectionEvent, _ number: Int) async {
    let lines = JSONLines(start: start, connection: number)
    switch event {
    case .message(let kind, let payload, let wire, let time):
      switch configuration.format {
      // The report takes the place of the messages.
      case .payload where configuration.report.isTAP: break
      case .payload(let format): await write(format.bytes(kind, payload))
      case .jsonLines: await write(lines.received(kind, payload, wire: wire, time: time))
      }
      let now = Int64(time.uptimeNanoseconds)
      let (isNearer, verdict) = conversation.withLock { conversation in
        let isNearer = conversation.received(
          kind, Array(payload.readableBytesView), at: now)
        return (isNearer, Self.judge(&conversation, at: now))
      }
      switch verdict {
      case .finished: await leave()
      case .goOn(let until?) where isNearer && until > 0: awaitEnd()
      case .goOn, .timedOut: break
      }
    case .ping(let payload, let time):
      await tellControl("ping", payload) {
        lines.ping(.incoming, Array(payload.readableBytesView), time: time)
      }
    case .pong(let payload, let time):
      await tellControl("pong", payload) {
        lines.pong(.incoming, Array(payload.readableBytesView), time: time)
      }
    case .frame(let header, let isIncoming, _):
      context.inform(FrameText.line(header, isIncoming: isIncoming))
    case .close, .violation, .ended:
      break
    }
  }

  private func tellControl(_ name: String, _ payload: ByteBuffer, _ line: () -> [UInt8]) async {
    switch configuration.format {
    case .jsonLines:
      await write(line())
    case .payload where configuration.showsPingPong:
      let text = ControlCharacters.escaped(
        Array(payload.readableBytesView), keepingNewlines: false, highlight: false)
      context.inform(text.isEmpty ? "< \(name)" : "< \(name) \(text)")
    case .payload:
      break
    }
  }

  private func write(_ bytes: [UInt8]) async {
    // What cannot be written is said once.
    guard ending.withLock({ $0 != .outputClosed && $0 != .failed(.outputFailed) }) else { return }
    do throws(OutputError) {
      try context.console.payload(bytes)
    } catch {
      switch error {
      case .closed:
        // Nobody reads any more, as behind `| head`: the quiet end.
        ending.withLock { $0 = $0 ?? .outputClosed }
        await leave()
      case .failed(let code, let stream):
        await fail(
          .outputFailed, "cannot write \(stream): \(SystemError(code: code).reason)")
      }
    }
  }

  private func exitNow(_ status: ExitStatus) -> Never {
    TerminalState.restore()
    Process.exit(status)
  }

  private static var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }
}
