import Conversation
import NIOCore
import Synchronization
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// Prints the events of a run without a prompt (PRODUCT 1.3): messages or JSON Lines to standard
/// output, everything else to standard error.
final class EventOutput: Sendable {
  private let configuration: RunConfiguration
  private let start: NIODeadline
  private let context: CommandContext
  private let stamps: Mutex<MessageStamps?>

  init(_ configuration: RunConfiguration, start: NIODeadline, _ context: CommandContext) {
    self.configuration = configuration
    self.start = start
    self.context = context
    stamps = Mutex(
      configuration.timestamps.map {
        MessageStamps($0, start: start, startOfClock: UTCTime.now)
      })
  }

  var isVerbose: Bool { configuration.verbosity > 0 }

  /// Prints that a connection has opened; `number` counts from 1.
  ///
  /// - Throws: `OutputError`.
  func opened(_ info: HandshakeInfo, _ number: Int, isAgain: Bool = false) throws(OutputError) {
    if isVerbose {
      let text = HandshakeText(
        info: info,
        showsSecrets: configuration.showsSecrets)
      for line in text.lines { context.inform(line) }
    } else if isAgain {
      context.inform("connected again")
    }
    guard case .jsonLines = configuration.format else { return }
    try context.console.payload(JSONLines(start: start, connection: number).opened(info))
  }

  /// Prints that a connection could not be opened: with `-v` the heads of both sides, and in JSON
  /// Lines a refusal.
  ///
  /// - Throws: `OutputError`.
  func notOpened(
    _ error: ConnectError, _ heads: HandshakeTranscript.Heads, _ number: Int
  ) throws(OutputError) {
    if isVerbose {
      for line in HandshakeText.heads(heads, showsSecrets: configuration.showsSecrets) {
        context.inform(line)
      }
    }
    guard case .jsonLines = configuration.format, case .refused(let refusal) = error else { return }
    let lines = JSONLines(start: start, connection: number)
    try context.console.payload(lines.refused(refusal, configuration.showsSecrets))
  }

  /// Prints that a connection has ended.
  ///
  /// - Throws: `OutputError`.
  func ended(
    _ outcome: CloseOutcome, _ compression: CompressionTraffic?, _ number: Int
  ) throws(OutputError) {
    if isVerbose, let compression {
      for line in HandshakeText.lines(compression) { context.inform(line) }
    }
    guard case .jsonLines = configuration.format else { return }
    try context.console.payload(JSONLines(start: start, connection: number).ended(outcome))
  }

  /// - Throws: `OutputError`.
  func show(_ event: ConnectionEvent, _ number: Int) throws(OutputError) {
    let lines = JSONLines(start: start, connection: number)
    switch event {
    case .message(let kind, let payload, let wire, let time):
      switch configuration.format {
      // The report replaces the messages.
      case .payload where configuration.report.isTAP: break
      case .payload(let format):
        let stamp = stamps.withLock { $0?.text(time) }
        try context.console.payload(format.bytes(kind, payload, stamp: stamp))
      case .jsonLines:
        try context.console.payload(lines.received(kind, payload, wire: wire, time: time))
      }
    case .ping(let payload, let time):
      try showControl("ping", payload) {
        lines.ping(.incoming, Array(payload.readableBytesView), time: time)
      }
    case .pong(let payload, let time):
      try showControl("pong", payload) {
        lines.pong(.incoming, Array(payload.readableBytesView), time: time)
      }
    case .pinged(let payload, let time):
      try showControl("ping", payload, mark: ">") {
        lines.ping(.outgoing, Array(payload.readableBytesView), time: time)
      }
    case .frame(let header, let isIncoming, _):
      context.inform(FrameText.line(header, isIncoming: isIncoming))
    case .linted(let counts):
      context.inform(LintText.line(counts))
      if case .jsonLines = configuration.format {
        try context.console.payload(lines.linted(counts))
      }
    case .close, .violation, .ended:
      break
    }
  }

  private func showControl(
    _ name: String, _ payload: ByteBuffer, mark: String = "<", _ line: () -> [UInt8]
  ) throws(OutputError) {
    switch configuration.format {
    case .jsonLines:
      try context.console.payload(line())
    case .payload where configuration.showsPingPong:
      let text = ControlCharacters.escaped(
        Array(payload.readableBytesView), keepingNewlines: false, highlight: false)
      context.inform("\(mark) \(name)" + (text.isEmpty ? "" : " \(text)"))
    case .payload:
      break
    }
  }
}
