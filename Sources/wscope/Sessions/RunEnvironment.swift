import Conversation
import NIOCore
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// The output of a run without a prompt, or of a series of runs.
struct RunConfiguration: Sendable {
  enum Format: Sendable, Hashable {
    case payload(PayloadFormat)
    case jsonLines
  }

  var command: String
  /// The URL that identifies it in reports and recordings.
  var url: WebSocketURL
  var format: Format
  var timestamps: MessageStamps.Kind?
  var report = ReportConfiguration()
  var showsPingPong = false
  var verbosity = 0
  var showsSecrets = false
  var recording: RecordingConfiguration?
  var repetition: Repetition?
  /// The time limit of the whole run.
  var maxTime: MaxTime?
}

/// The environment shared by the runs of a series, each part created once.
struct RunEnvironment: Sendable {
  let context: CommandContext
  /// The time from which the times of events are counted.
  let start: NIODeadline
  let output: EventOutput
  let reporter: ExpectationReporter
  let recorder: Recorder
  let maxTime: MaxTime?

  /// - Throws: `CommandFailure` if the recording cannot be started.
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
