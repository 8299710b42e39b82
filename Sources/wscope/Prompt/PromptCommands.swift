import Conversation
import NIOCore
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// Handles the events of a session at the prompt: the user's lines and commands, and the events of
/// the connection, one at a time.
actor PromptCommands {
  let configuration: PromptConfiguration
  let start: NIODeadline
  let voice: PromptVoice
  let editor: LineEditor
  let history: History?
  let recorder: Recorder
  let reconnector: Reconnector
  let environment: [String: String]

  var repl: Repl
  var trips = RoundTrips()
  var store = MessageStore()
  var showsRoundTrips = false
  /// Background work: `/repeat`, `/file`.
  var work: Task<Void, Never>?
  var received = 0
  /// Makes the JSON lines of the current connection.
  private var lines: JSONLines
  /// When the connection was opened.
  var opened = NIODeadline.now()
  private(set) var outputFailure: ExitStatus?

  init(
    configuration: PromptConfiguration, start: NIODeadline, voice: PromptVoice, editor: LineEditor,
    history: History?, recorder: Recorder, reconnector: Reconnector, environment: [String: String]
  ) {
    self.configuration = configuration
    self.start = start
    self.voice = voice
    self.editor = editor
    self.history = history
    self.recorder = recorder
    self.reconnector = reconnector
    self.environment = environment
    lines = JSONLines(start: start)
    repl = Repl(usesCommands: configuration.usesSlashCommands)
  }

  // MARK: The connection

  /// A connection has opened: the first or a later one.
  func opened(_ connection: Connection, number: Int) async {
    let client = await reconnector.client
    opened = .now()
    trips.reset()
    recorder.connected(number: number)
    lines.connection = number
    recorder.write { $0.opened(connection.info) }
    try? history?.visit()
    voice.display.setPrompt { $0.isConnected = true }
    greet(connection.info, client.url)
    do {
      for message in configuration.messages { recordSent(message) }
      try await connection.enqueue(configuration.messages)
      for message in configuration.messages { showSent(message) }
    } catch {
      voice.warn("not sent: the connection is closing")
    }
  }

  private func greet(_ info: HandshakeInfo, _ url: WebSocketURL) {
    if configuration.verbosity > 0 {
      for line in handshakeText(info).lines { voice.inform(line) }
    }
    if !info.ignoredFields.isEmpty { voice.warn(HandshakeText.ignoredFields(info)) }
    let subprotocol = info.subprotocol.map { " (\(Self.safe($0)))" } ?? ""
    voice.inform("connected to \(Redaction.url("\(url)"))\(subprotocol)")
    if case .jsonLines = configuration.format { write(lines.opened(info)) }
  }

  func handshakeText(_ info: HandshakeInfo) -> HandshakeText {
    HandshakeText(
      info: info,
      showsSecrets: configuration.showsSecrets)
  }

  /// Handles an event of the connection.
  func hear(_ event: ConnectionEvent) async {
    recorder.write(event)
    switch event {
    case .message(let kind, let payload, let wire, let time):
      await hear(kind, payload, wire, time)
    case .pong(let payload, let time):
      hearPong(payload, time)
    case .ping(let payload, let time):
      if configuration.showsPingPong { voice.inform("< ping \(Self.safe(payload))") }
      if case .jsonLines = configuration.format {
        write(lines.ping(.incoming, Array(payload.readableBytesView), time: time))
      }
    case .pinged(let payload, let time):
      if configuration.showsPingPong { voice.inform("> ping \(Self.safe(payload))") }
      if case .jsonLines = configuration.format {
        write(lines.ping(.outgoing, Array(payload.readableBytesView), time: time))
      }
    case .frame(let header, let isIncoming, _):
      voice.inform(FrameText.line(header, isIncoming: isIncoming))
    case .linted(let counts):
      voice.inform(LintText.line(counts))
      if case .jsonLines = configuration.format { write(lines.linted(counts)) }
    case .ended(let outcome, _, let compression):
      hearEnd(outcome, compression)
    case .close, .violation:
      break
    }
  }

  private func hear(
    _ kind: MessageKind, _ payload: ByteBuffer, _ wire: Int, _ time: NIODeadline
  ) async {
    received += 1
    let roundTrip = trips.received(at: time)
    if voice.context.console.standardOutputIsTerminal {
      voice.display.add(
        ShownMessage(
          isIncoming: true, kind: kind, payload: payload, wire: wire, time: time,
          connection: lines.connection,
          number: store.keep(payload), roundTrip: showsRoundTrips ? roundTrip : nil))
    } else {
      _ = store.keep(payload)
      // A file or a pipe receives everything, immediately and unchanged.
      switch configuration.format {
      case .jsonLines:
        write(lines.received(kind, payload, wire: wire, time: time))
      case .payload(let format):
        write(format.bytes(kind, payload))
      }
      if showsRoundTrips, let roundTrip { voice.inform("rtt \(Figures.duration(roundTrip))") }
    }
    if let count = configuration.count, received == count { await leave(CloseFrame(.normal)) }
  }

  private func hearPong(_ payload: ByteBuffer, _ time: NIODeadline) {
    let bytes = Array(payload.readableBytesView)
    if let roundTrip = trips.pong(bytes, at: time) {
      voice.inform("pong after \(Figures.duration(roundTrip))")
    } else if configuration.showsPingPong {
      voice.inform("< pong \(Self.safe(payload))")
    }
    if case .jsonLines = configuration.format {
      write(lines.pong(.incoming, bytes, time: time))
    }
  }

  private func hearEnd(_ outcome: CloseOutcome, _ compression: CompressionTraffic?) {
    if case .jsonLines = configuration.format { write(lines.ended(outcome)) }
    if configuration.verbosity > 0, let compression {
      for line in HandshakeText.lines(compression) { voice.inform(line) }
    }
  }

  /// Writes to standard output: above the prompt if that is the terminal.
  private func write(_ bytes: [UInt8]) {
    if voice.context.console.standardOutputIsTerminal {
      var line = String(decoding: bytes, as: UTF8.self)
      if line.hasSuffix("\n") { line.removeLast() }
      voice.display.add(line: line)
      return
    }
    guard outputFailure == nil else { return }
    do throws(OutputError) {
      try voice.context.console.payload(bytes)
    } catch {
      switch error {
      case .closed:
        outputFailure = .ok
      case .failed(let code, let stream):
        outputFailure = .outputFailed
        voice.warn("cannot write \(stream): \(SystemError(code: code).reason)")
      }
      Task { await leave(CloseFrame(.normal)) }
    }
  }

  // MARK: The user

  func handle(_ input: LineEditor.Input) async {
    switch input {
    case .line(let line):
      await perform(repl.line(line))
    case .endOfInput:
      let effect = repl.endOfInput()
      await perform(effect)
      if effect != .leave { editor.goOn() }
    case .terminalLost:
      await leave(CloseFrame(.normal))
    }
    let isCollecting = repl.isCollecting
    voice.display.setPrompt { $0.isCollecting = isCollecting }
  }

  private func perform(_ effect: Repl.Effect?) async {
    switch effect {
    case nil: break
    case .send(let text): await send(OutgoingMessage(configuration.kind, Array(text.utf8)))
    case .perform(let command): await perform(command)
    case .warn(let words): voice.warn(words)
    case .inform(let words): voice.inform(words)
    case .leave:
      editor.endPrompt()
      await leave(CloseFrame(.normal))
    }
  }

  /// Handles Ctrl-C.
  ///
  /// - Returns: whether it had an effect at the prompt; if not, it closes the connection.
  func interrupt() -> Bool {
    if let effect = repl.interrupt() {
      editor.interruptLine()
      voice.display.setPrompt { $0.isCollecting = false }
      if case .inform(let words) = effect { voice.inform(words) }
      return true
    }
    guard let work else { return false }
    work.cancel()
    return true
  }

  func leave(_ frame: CloseFrame) async {
    work?.cancel()
    let waits = Task {
      // Reported only if the peer takes long.
      try await Task.sleep(for: .milliseconds(300))
      guard await reconnector.isConnected else { return }
      voice.inform("closing: waiting for the peer's Close; Ctrl-C again leaves at once")
    }
    await reconnector.leave(frame)
    _ = waits
  }

  /// The session is over.
  func stop() {
    work?.cancel()
    work = nil
  }

  // MARK: Sending

  /// No more messages are accepted while this many bytes wait for a peer that does not read.
  private static let maxQueued = 16 * 1024 * 1024

  /// Sends a message of the user; warns if that is not possible.
  ///
  /// - Returns: whether it was sent.
  @discardableResult
  func send(_ message: OutgoingMessage, isShown: Bool = false) async -> Bool {
    guard let connection = await openConnection() else { return false }
    let queued = await connection.counters().queued
    guard queued < Self.maxQueued else {
      voice.warn("not sent: the peer is not reading, \(Figures.bytes(queued)) are queued")
      return false
    }
    do {
      // Recorded first: the reply may arrive before the send returns.
      trips.sent(at: .now())
      recordSent(message)
      try await connection.enqueue([message])
      if isShown { showSent(message) }
      return true
    } catch {
      voice.warn("not sent: the connection is closing")
      return false
    }
  }

  /// The open connection; warns if there is none.
  func openConnection() async -> Connection? {
    guard await reconnector.isConnected else {
      voice.warn("not sent: not connected")
      return nil
    }
    return await reconnector.connection
  }

  /// Call before the message is sent: otherwise its reply might be recorded first, before the
  /// message.
  func recordSent(_ message: OutgoingMessage) { recorder.write { $0.sent(message) } }

  private func showSent(_ message: OutgoingMessage) {
    voice.display.add(
      ShownMessage(
        isIncoming: false, kind: message.kind, payload: ByteBuffer(bytes: message.payload),
        time: .now()))
  }

  static func safe(_ payload: ByteBuffer) -> String {
    ControlCharacters.escaped(
      Array(payload.readableBytesView), keepingNewlines: false, highlight: false)
  }

  static func safe(_ text: String) -> String {
    ControlCharacters.escaped(text, keepingNewlines: false, highlight: false)
  }
}
