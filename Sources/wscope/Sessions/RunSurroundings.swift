import Conversation
import NIOCore
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// How a run without a prompt, or a series of them, tells of itself.
struct RunConfiguration: Sendable {
  enum Format: Sendable, Hashable {
    case payload(PayloadFormat)
    case jsonLines
  }

  var command: String
  /// The URL that it is named by in reports and recordings.
  var url: WebSocketURL
  var format: Format
  var timestamps: MessageStamps.Kind?
  var report = ReportConfiguration()
  var showsPingPong = false
  var verbosity = 0
  var showsSecrets = false
  var recording: RecordingConfiguration?
  var repetition: Repetition?
  /// What all of it may take.
  var maxTime: MaxTime?
}

/// What the runs of a series have around them, each made once.
struct RunSurroundings: Sendable {
  let context: CommandContext
  /// What the times of events count from.
  let start: NIODeadline
  let output: EventOutput
  let reporter: ExpectationReporter
  let recorder: Recorder
  let maxTime: MaxTime?

  /// - Throws: `CommandFailure` if it cannot be recorded.
  init(_ configuration: RunConfiguration, _ context: CommandContext) throws {
    let start = NIODeadline.now()
    self.context = context
    self.start = start
    maxTime = configuration.maxTime
    output = EventOutput(configuration, start: start, context)
    let url = "\(configuration.url)"
    reporter = ExpectationReporter(
      configuration.report,
      name: "wscope \(configuration.command) "
        + (configuration.showsSecrets ? url : Redaction.url(url)), start: start, context)
    recorder = Recorder(start: start, showsSecrets: configuration.showsSecrets, context)
    if let recording = configuration.recording {
      try recorder.begin(recording, url: url)
    }
  }
}
