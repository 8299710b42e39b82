import ArgumentParser
import LoadTesting
import WebSocketNIO
import WebSocketProtocol

/// `wscope bench`.
struct Bench: VerboseCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Load an endpoint with many connections and measure its latency.",
    discussion: """
      With --rate messages go out by the clock, whatever is outstanding, and latency counts from \
      the intended moment. Without it each connection sends when it was answered (closed loop), \
      which measures throughput. Without a URL an echo server of its own is measured for 5 s.
      """,
    subcommands: [BenchReport.self])

  @Argument(
    help: ArgumentHelp(
      "URL of the server under test; it must echo every message.", valueName: "url"))
  var url: URLText?

  @Option(help: ArgumentHelp("What the connections do.", valueName: "mode"))
  var mode = LoadModeOption(LoadModes.echo)

  @Option(
    name: [.customShort("c", allowingJoined: true), .long],
    help: ArgumentHelp("Connections, as in 200 or 10k.", valueName: "n"))
  var connections = CountOption(50)

  @Option(
    name: [.customShort("d", allowingJoined: true), .long],
    help: ArgumentHelp("How long to measure (default: 30s).", valueName: "duration"))
  var duration: DurationOption?

  @Option(
    name: [.customShort("n", allowingJoined: true), .long],
    help: ArgumentHelp(
      "Measure this many messages of all connections together, not a duration; with --rate the first "
        + "ones of the schedule.", valueName: "n"))
  var messages: CountOption?

  @Option(
    name: [.customShort("R", allowingJoined: true), .long],
    help: ArgumentHelp(
      "Messages a second of all connections together, as in 5000 or 20k.", valueName: "rate"))
  var rate: RateOption?

  @Option(
    help: ArgumentHelp(
      "Without --rate: messages that each connection keeps in flight (default: 1).",
      valueName: "n"))
  var inflight: CountOption?

  @Option(
    help: ArgumentHelp(
      "With --rate: even gaps (constant) or independent users (poisson).", valueName: "arrival"))
  var arrival = Pacing.Arrival.constant

  @Option(help: ArgumentHelp("New connections a second.", valueName: "rate"))
  var connectRate = RateOption(500)

  @Option(
    help: ArgumentHelp("Connections that must open before anything is sent.", valueName: "percent"))
  var minOpen = PercentOption(share: 1)

  @Option(
    help: ArgumentHelp(
      "Send this long before measuring (default: 2s or a tenth of the duration; 0s with -n).",
      valueName: "duration"))
  var warmup: DurationOption?

  @Option(
    help: ArgumentHelp(
      "Messages a connection may have in flight; more are not sent but counted.", valueName: "n"))
  var maxInflight = CountOption(1024)

  @Option(
    help: ArgumentHelp("When a message counts as unanswered.", valueName: "duration"))
  var timeout = DurationOption.seconds(5)

  @Option(help: ArgumentHelp("Bytes of each message (default: 64).", valueName: "size"))
  var size: SizeOption?

  @Flag(name: .shortAndLong, help: "Send binary messages.")
  var binary = false

  @Option(
    name: [.customShort("x", allowingJoined: true), .long],
    help: ArgumentHelp(
      "Send this payload every time and count any reply as its answer; @FILE sends a file.",
      valueName: "message"))
  var message: String?

  @Option(
    help: ArgumentHelp(
      "Match replies by an id in the payload (seq), or in order (fifo): only for a server that sends "
        + "one reply to each message, in order, and nothing else.",
      valueName: "how"))
  var match: LoadPlan.Matching?

  @Option(help: ArgumentHelp("Repeats the schedule and the payload of a run.", valueName: "number"))
  var seed: UInt64?

  @Option(help: ArgumentHelp("Event loop threads.", valueName: "n"))
  var threads = 1

  @Option(
    help: ArgumentHelp(
      "Do part i of n of the run, i from 0; the other numbers are those of the whole.",
      valueName: "i/n"))
  var shard: ShardOption?

  @Option(
    help: ArgumentHelp(
      "Connect from these addresses in turn: a list with commas, or a network as in 127.0.1.0/24.",
      valueName: "addresses"))
  var localIps: LocalAddressesOption?

  @OptionGroup var report: ReportOptions

  @Flag(help: "Print the JSON Schema of the result.")
  var schema = false

  @Flag(help: "Show no progress.")
  var noProgress = false

  @Flag(name: .shortAndLong, help: "Print nothing but the report and what is wrong.")
  var quiet = false

  @OptionGroup(title: "Connection") var client: ClientOptions
  @OptionGroup(title: "Compression") var compression: CompressionOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func run(_ context: CommandContext) async throws -> ExitStatus {
    if schema {
      try FileContents.write(LoadReport.schemaDocument, to: "-", context.console)
      return .ok
    }
    let plan = try plan()
    let outputs = try report.outputs()
    let target: BenchConfiguration.Target
    // Off unless asked for: what it measures then is mostly zlib.
    let deflate = try compression.parameters(standard: nil)
    if let url = url?.text {
      _ = try client.configuration(url: url, ClientReading(context))
      var configuration = try client.configuration(url: url, try await client.read(context))
      configuration.redirected = ClientOptions.reportRedirects(!quiet, context)
      configuration.deflate = deflate
      target = .endpoint(configuration)
    } else {
      guard client.unixSocket == nil else {
        throw CommandFailure(.usage, "--unix-socket requires a URL")
      }
      guard !client.network.namesAPlace, client.proxy.proxy == nil else {
        throw CommandFailure(.usage, "--resolve, --connect-to and --proxy require a URL")
      }
      // Its port, and with it the URL, is known only once it runs.
      var configuration = try client.configuration(
        url: "ws://127.0.0.1", try await client.read(context))
      configuration.deflate = deflate
      target = .embedded(configuration)
    }
    guard client.network.interface == nil || localIps == nil else {
      throw CommandFailure(.usage, "--interface and --local-ips cannot be used together")
    }
    let session = BenchSession(
      BenchConfiguration(
        plan: plan, target: target, sources: localIps?.addresses ?? [],
        levels: report.percentiles?.levels ?? PercentileLevel.standard, outputs: outputs,
        argv: ReportedCommandLine.words(self),
        showsProgress: !noProgress && !quiet, isQuiet: quiet),
      context)
    if case .endpoint(let configuration) = target {
      client.tls.warnAboutInsecureTLS(configuration, context)
    }
    return await session.run()
  }

  // MARK: What was typed becomes what is meant

  private func plan() throws -> LoadPlan {
    try check()
    var plan = LoadPlan(
      mode: try mode.entry(), pacing: .closed(inflight: inflight?.value ?? 1),
      connections: connections.value,
      length: length, connectRate: connectRate.perSecond, minimumOpen: minOpen.share,
      warmUp: warmup?.nanoseconds, timeout: timeout.nanoseconds,
      maxInFlight: maxInflight.value, content: try content(), kind: binary ? .binary : .text,
      matching: match, seed: seed ?? UInt64.random(in: .min ... .max), threads: threads,
      shard: shard?.shard)
    if let rate {
      plan.pacing = .open(rate: rate.perSecond, arrival: arrival)
      guard plan.schedule() != nil else {
        throw CommandFailure(.usage, "--rate is out of range")
      }
    }
    if match == .sequence, plan.matching != .sequence {
      throw CommandFailure(
        .usage,
        message == nil
          ? "--match seq needs \(MessageID.length) bytes for its id: --size \(MessageID.length)"
          : "--match seq and --message cannot be used together: the id is part of the payload")
    }
    return plan
  }

  private var length: LoadPlan.Length {
    if let messages { return .messages(messages.value) }
    let ns = duration?.nanoseconds ?? (url == nil ? 5 : 30) * 1_000_000_000
    return .duration(ns)
  }

  private func content() throws -> LoadPlan.Content {
    guard let message else {
      let bytes = size?.bytes ?? 64
      guard bytes <= client.maxMessage.bytes else {
        throw CommandFailure(
          .usage,
          "--size is over the limit for the echo of it: --max-message is "
            + Figures.bytes(client.maxMessage.bytes))
      }
      return .generated(size: bytes)
    }
    return .fixed(try MessageOptions.message(message, binary ? .binary : .text).payload)
  }

  private func check() throws {
    let positive: [(String, Int?)] = [
      ("--connections", connections.value), ("--messages", messages?.value),
      ("--inflight", inflight?.value), ("--max-inflight", maxInflight.value),
    ]
    for (name, value) in positive {
      if let value, value < 1 { throw CommandFailure(.usage, "\(name) must be at least 1") }
    }
    for (name, value) in [("--duration", duration), ("--timeout", timeout)] {
      if let value, value.nanoseconds < 1 {
        throw CommandFailure(.usage, "\(name) must be longer than 0")
      }
    }
    if let shard, shard.count > connections.value {
      throw CommandFailure(.usage, "--shard has more parts than there are connections")
    }
    guard (1...1024).contains(threads) else {
      throw CommandFailure(.usage, "--threads must be from 1 to 1024")
    }
    guard connections.value <= 10_000_000, maxInflight.value <= 1_000_000,
      inflight?.value ?? 1 <= 1_000_000
    else {
      throw CommandFailure(
        .usage, "at most 10M connections and 1M messages in flight on each are understood")
    }
    let exclusive = [
      (rate != nil && inflight != nil, "--inflight and --rate cannot be used together"),
      (duration != nil && messages != nil, "--messages and --duration cannot be used together"),
      (size != nil && message != nil, "--size and --message cannot be used together"),
      (
        rate == nil && arrival == .poisson,
        "--arrival poisson requires --rate"
      ),
    ]
    for (isWrong, message) in exclusive where isWrong { throw CommandFailure(.usage, message) }
  }
}
