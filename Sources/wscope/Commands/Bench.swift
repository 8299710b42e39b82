import ArgumentParser
import Conversation
import LoadTesting
import WebSocketNIO
import WebSocketProtocol

/// `wscope bench`.
struct Bench: VerboseCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Load an endpoint with many connections and measure its latency.",
    discussion: """
      Examples:
        wscope bench                             # measure an echo server of its own
        wscope bench :8080 -c 100 -R 5000        # latency at 5,000 messages/s
        wscope bench :8080 -c 100 -d 10s         # throughput

      With --rate, messages are sent on schedule, and latency is measured from the scheduled time, so that a \
      stalled server cannot hide it. Without --rate (closed loop), each connection sends its next message when the \
      last one is answered.
      """,
    subcommands: [BenchReport.self, BenchMerge.self, BenchCompare.self, BenchTransports.self])

  @Argument(
    help: ArgumentHelp(
      "URL of the server under test; it must echo every message.", valueName: "url"))
  var url: URLText?

  @Option(
    help: ArgumentHelp(
      "What the connections do: echo sends messages and waits for their echoes.", valueName: "mode")
  )
  var mode = LoadModeOption(LoadModes.echo)

  @Option(
    name: [.customShort("c", allowingJoined: true), .long],
    help: ArgumentHelp("Number of connections, as in 200 or 10k.", valueName: "n"))
  var connections = CountOption(50)

  @Option(
    name: [.customShort("d", allowingJoined: true), .long],
    help: ArgumentHelp(
      "Duration of the measurement (default: 30s; 5s without a URL, 10s with --vs).",
      valueName: "duration"))
  var duration: DurationOption?

  @Option(
    name: [.customShort("n", allowingJoined: true), .long],
    help: ArgumentHelp(
      "End after this many messages of all connections together, as in 10k, instead of after --duration (the default).",
      valueName: "n"))
  var messages: CountOption?

  @Option(
    name: [.customShort("R", allowingJoined: true), .long],
    help: ArgumentHelp(
      "Send this many messages per second, all connections together, as in 5000 or 20k. By default each connection sends its next message when the last one is answered.",
      valueName: "rate"))
  var rate: RateOption?

  @Option(
    help: ArgumentHelp(
      "Without --rate: number of messages that each connection keeps in flight (default: 1).",
      valueName: "n"))
  var inflight: CountOption?

  @Option(
    help: ArgumentHelp(
      "With --rate: send at even intervals (constant), or at random ones, as independent users would (poisson).",
      valueName: "arrival"))
  var arrival = Pacing.Arrival.constant

  @Option(help: ArgumentHelp("Open this many connections per second.", valueName: "rate"))
  var connectRate = RateOption(500)

  @Option(
    help: ArgumentHelp(
      "Share of the connections that must open; with fewer, nothing is sent.", valueName: "percent")
  )
  var minOpen = PercentOption(share: 1)

  @Option(
    help: ArgumentHelp(
      "Send for this long before measuring (default: 2s or a tenth of the duration, whichever is shorter; 0s with -n).",
      valueName: "duration"))
  var warmup: DurationOption?

  @Option(
    help: ArgumentHelp(
      "Limit for the messages in flight on a connection; messages beyond it are counted instead of sent.",
      valueName: "n"))
  var maxInflight = CountOption(1024)

  @Option(
    help: ArgumentHelp(
      "Time limit for the answer to a message; after it, the message counts as unanswered.",
      valueName: "duration"))
  var timeout = DurationOption.seconds(5)

  @Option(help: ArgumentHelp("Size of each message (default: 64 bytes).", valueName: "size"))
  var size: SizeOption?

  @Flag(name: .shortAndLong, help: "Send binary messages; the default is text.")
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

  @Option(
    help: ArgumentHelp(
      "Seed of the schedule and the payloads, to repeat a run (default: a random one).",
      valueName: "number"))
  var seed: UInt64?

  @Option(help: ArgumentHelp("Number of event loop threads.", valueName: "n"))
  var threads = 1

  @Option(
    help: ArgumentHelp(
      "Connect from these local addresses in turn: a comma-separated list, or a network, as in 127.0.1.0/24.",
      valueName: "addresses"))
  var localIps: LocalAddressesOption?

  @OptionGroup var sharding: ShardingOptions
  @OptionGroup var series: SeriesOptions
  @OptionGroup var report: ReportOptions
  @OptionGroup var monitoring: MonitoringOptions

  @Flag(help: "Print the JSON Schema of the result.")
  var schema = false

  @Flag(help: "Do not show progress.")
  var noProgress = false

  @Flag(name: .shortAndLong, help: "Print only the report and errors.")
  var quiet = false

  @OptionGroup(title: "Connection") var client: ClientOptions
  @OptionGroup(title: "Compression") var compression: CompressionOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func run(_ context: CommandContext) async throws -> ExitStatus {
    if schema {
      try FileContents.write(LoadReport.schemaDocument, to: "-", context.console)
      return .ok
    }
    try checkSeries()
    let configuration = try await configuration(context)
    guard series.isSeries else {
      return await BenchSession(configuration, context).run()
    }
    return try await run(configuration, context)
  }

  /// Several runs, and perhaps those of another side between them.
  private func run(
    _ configuration: BenchConfiguration, _ context: CommandContext
  ) async throws -> ExitStatus {
    let other = try await series.vs.asyncMap { try await side($0).configuration(context) }
    let (reports, status) = await BenchSeries(
      a: configuration, b: other, count: try series.count(), out: report.out?.text, isQuiet: quiet
    ).run(context)
    guard other != nil else {
      try FileContents.write(SeriesText(reports).text, to: "-", context.console)
      return status
    }
    guard status == .ok else { return status }
    let groups = try ComparedGroups(reports, [])
    return try series.comparison.compare(groups, context)
  }

  /// The command of the other side.
  private func side(_ other: OtherSideOption) throws -> Bench {
    switch other {
    case .url(let url):
      var bench = self
      bench.url = url
      return bench
    case .options(let words):
      try series.checkOtherOptions(words)
      // Together, so that an option with an optional value is found at the end of them, too.
      let typed = try Spelling.normalized(Spelling.arguments() + words).dropFirst()
      do {
        return try Bench.parse(Array(typed))
      } catch {
        throw CommandFailure(.usage, "--vs: \(Bench.message(for: error))")
      }
    }
  }

  private func checkSeries() throws {
    for (isChanged, option) in series.comparison.changed where isChanged && series.vs == nil {
      throw CommandFailure(.usage, "\(option) requires --vs")
    }
    guard series.isSeries else { return }
    let name = series.vs == nil ? "--repeat" : "--vs"
    let others = [
      (report.html != nil, "--html"), (report.junit != nil, "--junit"),
      (report.summaryMd != nil, "--summary-md"), (report.heat, "--heat"),
      (report.csv != nil, "--csv"), (report.hdr != nil, "--hdr"),
      (report.prometheus != nil, "--prometheus"),
      (monitoring.prometheusAddr != nil, "--prometheus-addr"),
      (try report.format.entry() != ReportFormats.text, "--format"),
      (sharding.shard != nil, "--shard"), (sharding.startAt != nil, "--start-at"),
      (series.vs != nil && !report.threshold.isEmpty, "--threshold"),
      (series.vs != nil && report.selfCheck != nil, "--self-check"),
    ]
    for (isSet, option) in others where isSet {
      throw CommandFailure(.usage, "\(option) and \(name) cannot be used together")
    }
  }

  private func configuration(_ context: CommandContext) async throws -> BenchConfiguration {
    var plan = try plan(context.environment)
    plan.thresholds = try report.thresholds(for: plan.mode.metrics)
    let outputs = try report.outputs()
    let monitoring = try monitoring.configuration()
    guard report.selfCheck != .off || plan.thresholds.isEmpty else {
      throw CommandFailure(
        .usage, "--self-check off and --threshold cannot be used together")
    }
    plan.checksItself = report.selfCheck != .off
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
    if plan.shard != nil, plan.startAt == nil, sharding.runId == nil, !quiet {
      context.inform(
        "without --start-at or --run-id, merge cannot tell this run from an earlier one with the same options"
      )
    }
    if case .endpoint(let configuration) = target {
      client.tls.warnAboutInsecureTLS(configuration, context)
    }
    return BenchConfiguration(
      plan: plan, target: target, sources: localIps?.addresses ?? [],
      levels: report.percentiles?.levels ?? PercentileLevel.standard, outputs: outputs,
      selfCheck: report.selfCheck, monitoring: monitoring,
      runID: sharding.runId?.text, argv: ReportedCommandLine.words(self),
      showsProgress: !noProgress && !quiet, isQuiet: quiet)
  }

  // MARK: What was typed becomes what is meant

  private func plan(_ environment: [String: String]) throws -> LoadPlan {
    let shard = try sharding.part(environment)
    try check(shard)
    var plan = LoadPlan(
      mode: try mode.entry(), pacing: .closed(inflight: inflight?.value ?? 1),
      connections: connections.value,
      length: length, connectRate: connectRate.perSecond, minimumOpen: minOpen.share,
      warmUp: warmup?.nanoseconds, timeout: timeout.nanoseconds,
      maxInFlight: maxInflight.value, content: try content(), kind: binary ? .binary : .text,
      matching: match, seed: 0, threads: threads, shard: shard)
    plan.startAt = sharding.startAt?.time.nanoseconds
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
    // Shards must agree without a word between them.
    plan.seed = seed ?? (shard == nil ? UInt64.random(in: .min ... .max) : plan.fingerprint())
    return plan
  }

  private var length: LoadPlan.Length {
    if let messages { return .messages(messages.value) }
    let seconds: Int64 = series.vs != nil ? 10 : url == nil ? 5 : 30
    return .duration(duration?.nanoseconds ?? seconds * 1_000_000_000)
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

  private func check(_ shard: LoadReport.Shard?) throws {
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

extension Optional {
  fileprivate func asyncMap<Other>(
    _ transform: (Wrapped) async throws -> Other
  ) async rethrows -> Other? {
    guard let self else { return nil }
    return try await transform(self)
  }
}
