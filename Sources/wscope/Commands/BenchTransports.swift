import ArgumentParser
import Conversation
import LoadTesting
import WebSocketNIO
import WebSocketProtocol

/// `wscope bench transports`.
struct BenchTransports: SessionCommand {
  static let configuration = CommandConfiguration(
    commandName: "transports", _superCommandName: "wscope bench",
    abstract: "Compare WebSocket with server-sent events and polling.",
    discussion: """
      The same updates go to the same number of clients by each transport, one after the other; then the same echoes \
      by WebSocket and by POST. Predictions are printed beside what is measured. Without a URL it measures a server \
      of its own; with one, a server that wscope listen --transports has started.
      """)

  @Argument(
    help: ArgumentHelp("URL of the server, as in http://host:8080.", valueName: "url"))
  var url: URLText?

  @Option(help: ArgumentHelp("Publish updates at this rate, at random times.", valueName: "rate"))
  var updates = RateOption(5)

  @Option(
    name: [.customShort("c", allowingJoined: true), .long],
    help: ArgumentHelp("Number of clients that receive each update.", valueName: "n"))
  var clients = CountOption(100)

  @Option(
    help: ArgumentHelp(
      "Poll at these intervals, at most four, as a comma-separated list (default: 100ms,1s).",
      valueName: "list"))
  var pollEvery: DurationListOption?

  @Option(
    name: [.customShort("d", allowingJoined: true), .long],
    help: ArgumentHelp(
      "Time for each transport, at least four times the longest interval; echoes take a quarter of it.",
      valueName: "duration"))
  var duration = DurationOption.seconds(8)

  @Option(
    name: .customLong("repeat"),
    help: ArgumentHelp(
      "Measure everything this many times, in the order A B C, C B A; from six on, a rank test decides on each claim.",
      valueName: "n"))
  var count = 1

  @Option(
    help: ArgumentHelp(
      "Seed of the times of updates and polls, to repeat a run (default: a random one).",
      valueName: "number"))
  var seed: UInt64?

  @Option(
    help: ArgumentHelp(
      "Format of the report on standard output: text, json or md.", valueName: "format"))
  var format = TransportFormatOption.text

  @Option(
    help: ArgumentHelp(
      "Add a summary in Markdown to the end of this file, as in $GITHUB_STEP_SUMMARY.",
      valueName: "file"),
    completion: .file())
  var summaryMd: PublicText?

  @Flag(help: "Print the JSON Schema of the result.")
  var schema = false

  @Flag(name: .shortAndLong, help: "Print only the report and errors.")
  var quiet = false

  @Option(
    help: ArgumentHelp(
      "When to use colour: auto (on a terminal), always or never.", valueName: "when"))
  var color = ColorOption.auto

  func run(_ context: CommandContext) async throws -> ExitStatus {
    if schema {
      try FileContents.write(TransportReport.schemaDocument, to: "-", context.console)
      return .ok
    }
    let plan = try plan()
    let server = try server()
    if let path = summaryMd?.text {
      guard path != "-" else {
        throw CommandFailure(
          .usage, "--summary-md does not write to standard output; use --format md")
      }
      try FileContents.checkWritable(path)
    }
    let session = TransportSession(plan, server, isQuiet: quiet, context)
    let (report, status) = try await session.run()
    guard let report else { return status }
    try FileContents.write(format.render(report), to: "-", context.console)
    if let path = summaryMd?.text {
      try FileContents.append(TransportFormatOption.md.render(report), to: path)
    }
    return status
  }

  private func plan() throws -> TransportPlan {
    var plan = TransportPlan(seed: seed ?? UInt64.random(in: .min ... .max))
    plan.updates = updates.perSecond
    plan.clients = clients.value
    plan.duration = duration.nanoseconds
    plan.blocks = count
    if let list = pollEvery { plan.pollIntervals = list.nanoseconds }
    let seconds = Double(plan.duration) / 1e9
    let rules = [
      (plan.updates <= 1000, "--updates must be at most 1000 a second"),
      ((1...10_000).contains(plan.clients), "--clients must be from 1 to 10000"),
      ((1...1000).contains(plan.blocks), "--repeat must be from 1 to 1000"),
      (plan.duration <= 3_600_000_000_000, "--duration must be at most 1h"),
      (
        plan.duration >= 4 * plan.warmUp,
        "--duration must be at least four times the longest of --poll-every"
      ),
      (plan.updates * seconds >= 4, "--duration is too short for four updates"),
    ]
    for (holds, message) in rules where !holds { throw CommandFailure(.usage, message) }
    return plan
  }

  /// The server of the URL; nil for one of our own.
  private func server() throws -> WebSocketURL? {
    guard let text = url?.text else { return nil }
    let url: WebSocketURL
    do {
      url = try WebSocketURL.parse(text, toASCII: InternationalName.ascii)
    } catch {
      throw CommandFailure(.badURL, error.message(text))
    }
    guard url.security == .plain else {
      throw CommandFailure(.usage, "transports are compared without TLS: use http:// or ws://")
    }
    guard url.target == "/", url.userInfo == nil, case .host = url.endpoint else {
      throw CommandFailure(
        .usage, "the URL must be that of a server alone, as in http://localhost:8080")
    }
    return url
  }
}

/// `--poll-every`: durations separated by commas.
struct DurationListOption: ExpressibleByArgument, Hashable, Reportable, Sendable {
  var nanoseconds: [Int64]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    nanoseconds = parts.compactMap { Duration.nanoseconds(String($0)) }
    guard nanoseconds.count == parts.count, Set(nanoseconds).count == parts.count,
      (1...4).contains(parts.count), nanoseconds.allSatisfy({ $0 >= 10_000_000 })
    else { return nil }
  }

  var reported: String { nanoseconds.map(TransportArm.text).joined(separator: ",") }
}

/// `--format` of `bench transports`.
enum TransportFormatOption: String, ExpressibleByArgument, CaseIterable, Reportable, Sendable {
  case text
  case json
  case md

  func render(_ report: TransportReport) -> String {
    switch self {
    case .text: TransportText(report).text
    case .json: TransportJSON(report).text
    case .md: TransportMarkdown(report).text
    }
  }
}
