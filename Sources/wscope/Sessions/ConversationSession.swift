import Conversation
import NIOCore
import Synchronization
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// What a conversation without a prompt is about.
struct ConversationConfiguration: Sendable {
  /// Where messages come from, once those of the command line are sent.
  enum Input: Sendable {
    case none
    case messages(MessageSplitter.Boundary, MessageKind)
    case jsonLines
  }

  enum Format: Sendable, Hashable {
    case payload(PayloadFormat)
    case jsonLines
  }

  /// What Ctrl-C means: a one-shot command was interrupted; a session was ended.
  enum Interruption: Sendable {
    case ends
    case fails
  }

  var command: String
  var client: ClientConfiguration
  var messages: [OutgoingMessage]
  var input: Input
  var policy: WaitPolicy
  var expectations: [Expectation]
  var format: Format
  var interruption: Interruption
  var reaction = Connection.Reaction.none
  var showsPingPong = false
  var isVerbose = false
}

/// `send`, and `connect` without a terminal: messages out, messages in, and an exit code. Nothing is
/// lost before the connection is open, and nothing after the input has ended.
final class ConversationSession: Sendable {
  private let configuration: ConversationConfiguration
  private let context: CommandContext
  private let conversation: Mutex<Conversation>
  /// Why the session is being ended before its time.
  private let ending = Mutex<Ending?>(nil)
  private let start = NIODeadline.now()

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
  }

  func run() async -> ExitStatus {
    let opening = OpeningConnection(
      configuration.client, reaction: configuration.reaction, command: configuration.command,
      context)
    let watch = Task { await watchSignals(opening) }
    defer { watch.cancel() }
    do throws(ExitStatus) {
      return await converse(try await opening.explained())
    } catch {
      return error
    }
  }

  private func converse(_ connection: Connection) async -> ExitStatus {
    tellOpened(connection.info)
    let sender = Task {
      await sendAll(on: connection)
      awaitEnd(connection)
    }
    var outcome = CloseOutcome.lost(.abandoned)
    var compression: CompressionTraffic?
    for await burst in connection.events {
      for event in burst {
        if case .ended(let ended, _, let compressed) = event {
          outcome = ended
          compression = compressed
        }
        await handle(event, connection)
      }
    }
    sender.cancel()
    timer.withLock { $0?.cancel() }
    if configuration.isVerbose, let compression {
      for line in HandshakeText.lines(compression) { context.inform(line) }
    }
    return finish(outcome)
  }

  // MARK: Sending

  private func sendAll(on connection: Connection) async {
    do {
      try await send(configuration.messages, on: connection)
      switch configuration.input {
      case .none:
        break
      case .messages(let boundary, let kind):
        let input = StandardInput(boundary: boundary)
        while let batch = try await input.nextBatch() {
          try await send(try outgoing(batch, kind), on: connection)
        }
      case .jsonLines:
        let input = StandardInput(boundary: .newline)
        var line = 0
        while let batch = try await input.nextBatch() {
          try await send(try batch.compactMap { try message($0, &line) }, on: connection)
        }
      }
    } catch let error as SystemError {
      await fail(.usage, "cannot read standard input: \(error.reason)", connection)
    } catch let error as InputError {
      await fail(.usage, error.words, connection)
    } catch {
      // The connection is closing; the events say why.
    }
    let now = Self.now
    conversation.withLock { $0.sentAll(at: now) }
  }

  private func send(_ messages: [OutgoingMessage], on connection: Connection) async throws {
    guard !messages.isEmpty else { return }
    let now = Self.now
    conversation.withLock { $0.sending(messages.count, at: now) }
    try await connection.send(messages)
  }

  private struct InputError: Error {
    var words: String
  }

  private func outgoing(_ batch: [[UInt8]], _ kind: MessageKind) throws -> [OutgoingMessage] {
    try batch.map { payload in
      guard kind == .binary || String(validating: payload, as: UTF8.self) != nil else {
        throw InputError(words: "standard input is not valid UTF-8; to send it as it is: --binary")
      }
      return OutgoingMessage(kind, payload)
    }
  }

  private func message(_ line: [UInt8], _ number: inout Int) throws -> OutgoingMessage? {
    number += 1
    guard !line.isEmpty else { return nil }
    do throws(SessionLineError) {
      switch try SessionLine.parse(line) {
      case .message(let kind, let payload): return OutgoingMessage(kind, payload)
      case .other: return nil
      }
    } catch {
      throw InputError(words: "standard input, line \(number): \(Self.words(error))")
    }
  }

  private static func words(_ error: SessionLineError) -> String {
    switch error {
    case .notJSON(let json): "not JSON: \(json.problem) (byte \(json.offset))"
    case .notAnObject: "not a JSON object"
    case .noEvent: "no member \"event\""
    case .noPayload: "a message needs a member \"text\" or \"base64\""
    case .notBase64: "\"base64\" is not valid base64"
    }
  }

  // MARK: Ending

  /// (Re)starts the wait for the end, since it may have come nearer.
  private func awaitEnd(_ connection: Connection) {
    timer.withLock { timer in
      timer?.cancel()
      timer = Task { await waitUntilOver(connection) }
    }
  }

  private let timer = Mutex<Task<Void, Never>?>(nil)

  /// Closes when the conversation is over, by time.
  private func waitUntilOver(_ connection: Connection) async {
    while !Task.isCancelled {
      let now = Self.now
      switch conversation.withLock({ $0.verdict(at: now) }) {
      case .finished:
        await connection.close(CloseFrame(.normal))
        return
      case .timedOut(let waited):
        ending.withLock { $0 = $0 ?? .timedOut(waited: waited) }
        await connection.close(CloseFrame(.normal))
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

  private func watchSignals(_ opening: OpeningConnection) async {
    var isSecond = false
    for await signal in context.signals.events {
      guard signal == .interrupt || signal == .terminate || signal == .hangup else { continue }
      let status = Self.status(signal)
      if isSecond { exitNow(status) }
      isSecond = true
      ending.withLock { $0 = $0 ?? .signal(signal) }
      Task {
        // Before the connection is open there is nothing to say goodbye to.
        guard let connection = await opening.connection else { return }
        await connection.close(CloseFrame(.normal))
      }
      if !hasOpened.load(ordering: .acquiring) { exitNow(status) }
    }
  }

  private let hasOpened = Atomic<Bool>(false)

  private static func status(_ signal: TerminalSignal) -> ExitStatus {
    signal == .interrupt ? .interrupted : .terminated
  }

  private func fail(_ status: ExitStatus, _ words: String, _ connection: Connection) async {
    context.console.note(context.style(.red, "wscope: \(words)"))
    ending.withLock { $0 = $0 ?? .failed(status) }
    await connection.close(CloseFrame(.normal))
  }

  private func finish(_ outcome: CloseOutcome) -> ExitStatus {
    if case .jsonLines = configuration.format {
      try? context.console.payload(JSONLines(start: start).ended(outcome))
    }
    let ended = ending.withLock { $0 }
    switch ended {
    case .failed(let status): return status
    case .outputClosed: return .ok
    case .signal(let signal):
      if case .ends = configuration.interruption { return .ok }
      return Self.status(signal)
    case .timedOut, nil: break
    }
    let status = ExitStatus(outcome)
    if status != .ok || configuration.isVerbose {
      let words = CloseWords.line(outcome, escapes: context.console.standardErrorIsTerminal)
      if status == .ok { context.inform(words) } else { context.warn(words) }
    }
    let (results, instead) = conversation.withLock { ($0.results, $0.unexpected) }
    report(results, instead)
    guard status == .ok else { return status }
    if case .timedOut(let waited) = ended {
      context.console.note(
        context.style(
          .red,
          "wscope: timed out after \(Figures.shortDuration(waited)) waiting for a reply (--wait)"))
      return .timeout
    }
    return results.allSatisfy(\.isMet) ? .ok : .expectationFailed
  }

  private func report(_ results: [Conversation.Result], _ instead: [UInt8]?) {
    for result in results where !result.isMet {
      context.console.note(
        context.style(.red, "wscope: expected \(shown(result.expectation.payload))"))
      context.console.note(
        instead.map { "  got: \(shown($0))" } ?? "  got: nothing that was not expected elsewhere")
    }
  }

  private func shown(_ payload: [UInt8]) -> String {
    "\""
      + ControlCharacters.escaped(
        Array(payload.prefix(200)), keepingNewlines: false, highlight: false) + "\""
      + (payload.count > 200 ? "... (\(payload.count) bytes)" : "")
  }

  // MARK: Receiving

  private func tellOpened(_ info: HandshakeInfo) {
    hasOpened.store(true, ordering: .releasing)
    if configuration.isVerbose {
      let escapes = context.console.standardErrorIsTerminal
      for line in HandshakeText.lines(info, escapes: escapes) { context.inform(line) }
    }
    if case .jsonLines = configuration.format {
      try? context.console.payload(JSONLines(start: start).opened(info))
    }
  }

  private func handle(_ event: ConnectionEvent, _ connection: Connection) async {
    switch event {
    case .message(let kind, let payload, let wire, let time):
      await write(formatted(kind, payload, wire, time), connection)
      let now = Int64(time.uptimeNanoseconds)
      let (isNearer, verdict) = conversation.withLock { conversation in
        let isNearer = conversation.received(Array(payload.readableBytesView), at: now)
        return (isNearer, conversation.verdict(at: now))
      }
      switch verdict {
      case .finished: await connection.close(CloseFrame(.normal))
      case .goOn(let until?) where isNearer && until > 0: awaitEnd(connection)
      case .goOn, .timedOut: break
      }
    case .ping(let payload, let time):
      await tellControl("ping", payload, time, connection)
    case .pong(let payload, let time):
      await tellControl("pong", payload, time, connection)
    case .close, .violation, .ended:
      break
    }
  }

  private func formatted(
    _ kind: MessageKind, _ payload: ByteBuffer, _ wire: Int, _ time: NIODeadline
  ) -> [UInt8] {
    switch configuration.format {
    case .payload(let format): format.bytes(kind, payload)
    case .jsonLines: JSONLines(start: start).received(kind, payload, wire: wire, time: time)
    }
  }

  private func tellControl(
    _ name: String, _ payload: ByteBuffer, _ time: NIODeadline, _ connection: Connection
  ) async {
    switch configuration.format {
    case .jsonLines:
      await write(JSONLines(start: start).control(name, payload, time: time), connection)
    case .payload where configuration.showsPingPong:
      let text = ControlCharacters.escaped(
        Array(payload.readableBytesView), keepingNewlines: false, highlight: false)
      context.inform(text.isEmpty ? "< \(name)" : "< \(name) \(text)")
    case .payload:
      break
    }
  }

  private func write(_ bytes: [UInt8], _ connection: Connection) async {
    // What cannot be written is said once.
    guard ending.withLock({ $0 != .outputClosed && $0 != .failed(.outputFailed) }) else { return }
    do throws(OutputError) {
      try context.console.payload(bytes)
    } catch {
      switch error {
      case .closed:
        // Nobody reads any more, as behind `| head`: the quiet end.
        ending.withLock { $0 = $0 ?? .outputClosed }
        await connection.close(CloseFrame(.normal))
      case .failed(let code, let stream):
        await fail(
          .outputFailed, "cannot write \(stream): \(SystemError(code: code).reason)", connection)
      }
    }
  }

  private func exitNow(_ status: ExitStatus) -> Never {
    TerminalState.restore()
    Process.exit(status)
  }

  private static var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }
}
