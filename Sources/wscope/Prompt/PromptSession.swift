import Conversation
import Glibc
import NIOCore
import NIOPosix
import Synchronization
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// The configuration of `connect` on a terminal.
struct PromptConfiguration: Sendable {
  var client: ClientConfiguration
  /// Makes the configuration for another URL, with all other options unchanged.
  var endpoint: @Sendable (_ url: String) throws -> ClientConfiguration
  /// Sent on open, in order.
  var messages: [OutgoingMessage]
  var kind: MessageKind
  var usesSlashCommands: Bool
  var reaction: Connection.Reaction
  var format: RunConfiguration.Format
  /// The session ends when this many messages have been received.
  var count: Int?
  var showsPingPong: Bool
  var verbosity: Int
  var showsSecrets: Bool
  var timestamps: MessageStamps.Kind?
  var indentsJSON: Bool
  /// Whether text is written to the terminal unchanged.
  var isRawTerminal: Bool
  var reconnect: ReconnectPolicy?
  var recording: RecordingConfiguration?
  var promptDescriptor: Int32
}

/// The file of a recording.
struct RecordingConfiguration: Sendable {
  var path: String
  var overwrites: Bool
}

/// `connect` on a terminal: a prompt, with received messages above it. Opens the first connection,
/// connects the components and handles signals.
final class PromptSession: Sendable {
  private let configuration: PromptConfiguration
  private let context: CommandContext
  private let start = NIODeadline.now()
  private let parts = Mutex<Parts?>(nil)

  /// The components that exist once a connection is open.
  private struct Parts: Sendable {
    var commands: PromptCommands
    var reconnector: Reconnector
  }

  init(_ configuration: PromptConfiguration, _ context: CommandContext) {
    self.configuration = configuration
    self.context = context
  }

  func run() async throws -> ExitStatus {
    let recorder = Recorder(start: start, showsSecrets: configuration.showsSecrets, context)
    if let recording = configuration.recording {
      try recorder.begin(recording, url: "\(configuration.client.url)")
    }
    let opening = OpeningConnection(
      configuration.client, reaction: configuration.reaction, command: "connect",
      isVerbose: configuration.verbosity > 0, context)
    let signals = Task { await watchSignals() }
    defer { signals.cancel() }
    do throws(ExitStatus) {
      let connection: Connection
      switch await opening.result {
      case .success(let opened): connection = opened
      case .failure(let error):
        if configuration.verbosity > 0 {
          let heads = HandshakeText.heads(
            opening.transcript.heads, showsSecrets: configuration.showsSecrets)
          for line in heads { context.inform(line) }
        }
        throw opening.explain(error)
      }
      return await talk(connection, recorder)
    } catch {
      return error
    }
  }

  private func talk(_ first: Connection, _ recorder: Recorder) async -> ExitStatus {
    let history = History.path(environment: context.environment).map {
      History(path: $0, redact: Redaction.line)
    }
    let isFirstRun = (try? history?.entries().isEmpty) ?? true
    history?.enter(Self.endpoint(configuration.client))
    let editor = makeEditor(history)
    let display = makeDisplay(editor)
    let voice = PromptVoice(display: display, context: context)
    let reconnector = Reconnector(
      first, to: configuration.client, policy: configuration.reconnect,
      open: { [configuration] client in
        try await Connection.open(
          client, reaction: configuration.reaction,
          on: MultiThreadedEventLoopGroup.singleton.next())
      },
      tell: { voice.tell($0) })
    let commands = PromptCommands(
      configuration: configuration, start: start, voice: voice, editor: editor, history: history,
      recorder: recorder, reconnector: reconnector,
      environment: context.environment)
    parts.withLock { $0 = Parts(commands: commands, reconnector: reconnector) }
    context.console.attach(editor)
    context.signals.attach(editor)
    editor.start()
    await commands.opened(first, number: 1)
    if isFirstRun {
      voice.inform("/help lists the commands; Tab completes, Ctrl-R searches, Ctrl-D leaves")
    }
    let typing = Task { for await input in editor.inputs { await commands.handle(input) } }
    let status = await reconnector.run { connection, number in
      if number > 1 { await commands.opened(connection, number: number) }
      var outcome = CloseOutcome.lost(.abandoned)
      var circumstances = CloseCircumstances(connection.info)
      for await burst in connection.events {
        for event in burst {
          if case .ended(let ended, _, _) = event { outcome = ended }
          circumstances.heard(event)
          await commands.hear(event)
        }
      }
      return (outcome, circumstances)
    }
    typing.cancel()
    await commands.stop()
    // The user may still be writing in an editor, and is then told where the text is.
    await typing.value
    display.flush()
    editor.stop()
    context.console.detach()
    context.signals.detach()
    if let failed = await commands.outputFailure { return failed }
    return status == .ok && recorder.hasFailed ? .outputFailed : status
  }

  /// The name of a session's place in the history.
  static func endpoint(_ client: ClientConfiguration) -> String {
    Redaction.url("\(client.url)")
  }

  private func makeEditor(_ history: History?) -> LineEditor {
    let usesCommands = configuration.usesSlashCommands
    return LineEditor(
      prompt: PromptText().text(context.style), output: configuration.promptDescriptor,
      history: history,
      // Called on the thread of the editor, which must not wait for its own draws.
      historyFailed: { [context] error in Task { context.warn(Self.message(error)) } },
      complete: { line, cursor in
        guard usesCommands else { return .words([]) }
        return CommandRegistry.completion(
          line, cursor: cursor, urls: (try? history?.places()) ?? [])
      })
  }

  private func makeDisplay(_ editor: LineEditor) -> PromptDisplay {
    var text = MessageText(context.style, start: start, startOfClock: UTCTime.now)
    text.timestamps = configuration.timestamps
    text.indentsJSON = configuration.indentsJSON
    text.verbosity = configuration.verbosity
    text.isRaw = configuration.isRawTerminal
    var makesLine: (@Sendable (ShownMessage) -> [UInt8])?
    switch configuration.format {
    case .jsonLines:
      makesLine = { [start] message in
        JSONLines(start: start, connection: message.connection)
          .received(message.kind, message.payload, wire: message.wire ?? 0, time: message.time)
      }
    case .payload:
      break
    }
    return PromptDisplay(
      editor, on: configuration.promptDescriptor, style: context.style, text: text,
      makesLine: makesLine)
  }

  private static func message(_ error: HistoryError) -> String {
    switch error {
    case .notRegular(let path): "history is off: \(path) is not a regular file"
    case .failed(let path, let cause): "history is off: \(path): \(cause.reason)"
    }
  }

  // MARK: Signals

  /// Handles signals separately from other work, which may be blocked by a pipe without a reader.
  private func watchSignals() async {
    for await signal in context.signals.events {
      if signal == .quit {
        TerminalState.restore()
        Signals.endProcess(by: .quit)
      }
      guard [.interrupt, .terminate, .hangup].contains(signal) else { continue }
      guard let commands = parts.withLock({ $0?.commands }), !isClosing.load(ordering: .acquiring)
      else {
        TerminalState.restore()
        Process.exit(signal == .interrupt ? .interrupted : .terminated)
      }
      isClosing.store(true, ordering: .releasing)
      Task {
        if signal == .interrupt, await commands.interrupt() {
          // It had an effect at the prompt.
          isClosing.store(false, ordering: .releasing)
        } else {
          await commands.leave(CloseFrame(.normal))
        }
      }
    }
  }

  /// Whether a Ctrl-C is being handled or has started to close the connection: the next one exits
  /// at once.
  private let isClosing = Atomic<Bool>(false)
}
