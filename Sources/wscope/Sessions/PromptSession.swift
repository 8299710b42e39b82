import NIOCore
import Synchronization
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// What `connect` on a terminal is to do.
struct PromptConfiguration: Sendable {
  var client: ClientConfiguration
  /// As it was typed.
  var url: String
  /// Sent on open, in order.
  var messages: [OutgoingMessage]
  var kind: MessageKind
  var usesSlashCommands: Bool
  var reaction: Connection.Reaction
  var format: ConversationConfiguration.Format
  /// Ends when this many messages have come.
  var count: Int?
  var showsPingPong: Bool
  var isVerbose: Bool
  var promptDescriptor: Int32
}

/// `connect` on a terminal: a prompt, and what arrives above it.
final class PromptSession: Sendable {
  private let configuration: PromptConfiguration
  private let context: CommandContext
  private let start = NIODeadline.now()
  private let state = Mutex(State())

  private struct State {
    /// When pings that wait for their pong went out, by payload.
    var pings: [[UInt8]: NIODeadline] = [:]
    var pingCount = 0
    var received = 0
    /// A Close of ours is on its way because the person wants to leave.
    var isLeaving = false
    var outputFailure: ExitStatus?
  }

  init(_ configuration: PromptConfiguration, _ context: CommandContext) {
    self.configuration = configuration
    self.context = context
  }

  func run() async -> ExitStatus {
    let opening = OpeningConnection(
      configuration.client, reaction: configuration.reaction, command: "connect", context)
    let signals = Task { await watchSignals(opening) }
    defer { signals.cancel() }
    do throws(ExitStatus) {
      return await talk(try await opening.explained())
    } catch {
      return error
    }
  }

  private func talk(_ connection: Connection) async -> ExitStatus {
    isOpen.store(true, ordering: .releasing)
    let editor = makeEditor()
    context.console.attach(editor)
    context.signals.attach(editor)
    editor.start()
    greet(connection.info)
    let typing = Task {
      try? await connection.send(configuration.messages)
      for await input in editor.inputs { await handle(input, connection) }
    }
    var outcome = CloseOutcome.lost(.abandoned)
    var compression: CompressionTraffic?
    for await burst in connection.events {
      for event in burst {
        if case .ended(let ended, _, let compressed) = event {
          outcome = ended
          compression = compressed
        }
        await show(event, connection)
      }
    }
    typing.cancel()
    editor.stop()
    context.console.detach()
    context.signals.detach()
    if configuration.isVerbose, let compression {
      for line in HandshakeText.lines(compression) { context.inform(line) }
    }
    return farewell(outcome)
  }

  private let isOpen = Atomic<Bool>(false)

  private func makeEditor() -> LineEditor {
    let history = History.path(environment: context.environment).map { History(path: $0) }
    let usesCommands = configuration.usesSlashCommands
    return LineEditor(
      prompt: context.style.inPrompt(.green, "> "), output: configuration.promptDescriptor,
      history: history,
      historyFailed: { [context] error in context.warn(Self.words(error)) },
      complete: { line, cursor in
        let typed = String(decoding: line.utf8.prefix(cursor), as: UTF8.self)
        guard usesCommands, typed.hasPrefix("/"), !typed.contains(" ") else { return .words([]) }
        return .words(SlashCommand.completions(of: typed))
      })
  }

  private static func words(_ error: HistoryError) -> String {
    switch error {
    case .notRegular(let path): "no history is kept: \(path) is not a regular file"
    case .failed(let path, let cause): "no history is kept: \(path): \(cause.reason)"
    }
  }

  private func greet(_ info: HandshakeInfo) {
    if configuration.isVerbose {
      for line in HandshakeText.lines(info, escapes: true) { context.inform(line) }
    }
    let subprotocol = info.subprotocol.map {
      " (" + ControlCharacters.escaped($0, keepingNewlines: false, highlight: false) + ")"
    }
    context.inform(
      "connected to \(configuration.client.url)\(subprotocol ?? ""); /help for commands, Ctrl-D to quit"
    )
    if case .jsonLines = configuration.format {
      try? context.console.payload(JSONLines(start: start).opened(info))
    }
  }

  private func farewell(_ outcome: CloseOutcome) -> ExitStatus {
    if case .jsonLines = configuration.format {
      try? context.console.payload(JSONLines(start: start).ended(outcome))
    }
    if let failed = state.withLock({ $0.outputFailure }) { return failed }
    // Who wanted to leave has left, whatever the peer made of it.
    let status = state.withLock { $0.isLeaving } ? .ok : ExitStatus(outcome)
    let words = CloseWords.line(outcome, escapes: true)
    if status == .ok { context.inform(words) } else { context.warn(words) }
    return status
  }

  // MARK: The person

  private func handle(_ input: LineEditor.Input, _ connection: Connection) async {
    switch input {
    case .endOfInput:
      await leave(connection, CloseFrame(.normal))
    case .line(let line):
      switch SlashCommand.parse(line, usesCommands: configuration.usesSlashCommands) {
      case .message(let text):
        // An empty line is a slip of the finger, not a message.
        guard !text.isEmpty else { return }
        await send(text, connection)
      case .command(let command):
        await perform(command, connection)
      case .mistake(let words):
        context.warn(words)
      }
    }
  }

  private func send(_ text: String, _ connection: Connection) async {
    do {
      try await connection.send([OutgoingMessage(configuration.kind, Array(text.utf8))])
    } catch {
      context.warn("not sent: the connection is closing")
    }
  }

  private func perform(_ command: SlashCommand, _ connection: Connection) async {
    do {
      switch command {
      case .ping(let data):
        let payload = state.withLock { state -> [UInt8] in
          state.pingCount += 1
          let payload = data.isEmpty ? Array("\(state.pingCount)".utf8) : data
          state.pings[payload] = .now()
          return payload
        }
        try await connection.ping(payload)
      case .pong(let data):
        try await connection.pong(data)
      case .close(let frame):
        await leave(connection, frame)
      case .quit:
        await leave(connection, CloseFrame(.normal))
      case .info:
        for line in HandshakeText.lines(connection.info, escapes: true) { context.inform(line) }
        let received = state.withLock { $0.received }
        context.inform("\(Figures.count(received)) messages received")
      case .help(let name):
        for line in SlashCommand.helpLines(name) { context.console.note(line) }
      }
    } catch {
      context.warn("not sent: the connection is closing")
    }
  }

  private func leave(_ connection: Connection, _ frame: CloseFrame) async {
    state.withLock { $0.isLeaving = true }
    await connection.close(frame)
  }

  private func watchSignals(_ opening: OpeningConnection) async {
    var isSecond = false
    for await signal in context.signals.events {
      guard [.interrupt, .terminate, .hangup].contains(signal) else { continue }
      guard isOpen.load(ordering: .acquiring), !isSecond else {
        TerminalState.restore()
        Process.exit(signal == .interrupt ? .interrupted : .terminated)
      }
      isSecond = true
      Task {
        guard let connection = await opening.connection else { return }
        await leave(connection, CloseFrame(.normal))
        // Only a peer that takes its time is worth a word.
        try? await Task.sleep(for: .milliseconds(300))
        context.inform("closing: waiting for the peer's Close; Ctrl-C again leaves at once")
      }
    }
  }

  // MARK: The peer

  private func show(_ event: ConnectionEvent, _ connection: Connection) async {
    switch event {
    case .message(let kind, let payload, let wire, let time):
      await write(kind, payload, wire, time, connection)
      let received = state.withLock { state in
        state.received += 1
        return state.received
      }
      if let count = configuration.count, received >= count {
        await leave(connection, CloseFrame(.normal))
      }
    case .pong(let payload, let time):
      tellPong(payload, time)
    case .ping(let payload, _):
      if configuration.showsPingPong { context.inform("< ping \(shown(payload))") }
    case .close, .violation, .ended:
      break
    }
  }

  private func write(
    _ kind: MessageKind, _ payload: ByteBuffer, _ wire: Int, _ time: NIODeadline,
    _ connection: Connection
  ) async {
    let bytes: [UInt8]
    switch configuration.format {
    case .jsonLines:
      bytes = JSONLines(start: start).received(kind, payload, wire: wire, time: time)
    case .payload(let format) where format.isForTerminal:
      bytes = Array(Transcript.received(kind, payload, context.style).utf8)
    case .payload(let format):
      bytes = format.bytes(kind, payload)
    }
    do throws(OutputError) {
      try context.console.payload(bytes)
    } catch {
      let status: ExitStatus
      switch error {
      case .closed: status = .ok
      case .failed(let code, let stream):
        status = .outputFailed
        context.warn("cannot write \(stream): \(SystemError(code: code).reason)")
      }
      state.withLock { $0.outputFailure = status }
      await connection.close(CloseFrame(.normal))
    }
  }

  private func tellPong(_ payload: ByteBuffer, _ time: NIODeadline) {
    let sent = state.withLock { $0.pings.removeValue(forKey: Array(payload.readableBytesView)) }
    if let sent {
      context.inform("pong after \(Figures.duration((time - sent).nanoseconds))")
    } else if configuration.showsPingPong {
      context.inform("< pong \(shown(payload))")
    }
  }

  private func shown(_ payload: ByteBuffer) -> String {
    ControlCharacters.escaped(
      Array(payload.readableBytesView), keepingNewlines: false, highlight: false)
  }
}
