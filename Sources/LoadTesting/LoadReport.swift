/// The result of a load test, as a value; printing it is somebody else's work.
package struct LoadReport: Sendable, Equatable {
  /// The version of the JSON shape that this value is written in.
  package static let schema = "bench/1"

  /// The program that measured.
  package struct Tool: Sendable, Equatable {
    package var name: String
    package var version: String
    package var commit: String?
    /// `release` or `debug`
    package var build: String

    package init(name: String = "wscope", version: String, commit: String? = nil, build: String) {
      self.name = name
      self.version = version
      self.commit = commit
      self.build = build
    }
  }

  /// Part `index` of `count` of a run that several processes share.
  package struct Shard: Sendable, Equatable {
    package var index: Int
    package var count: Int

    package init(index: Int, count: Int) {
      self.index = index
      self.count = count
    }
  }

  /// This run among others.
  package struct Run: Sendable, Equatable {
    package var id: String
    /// When it started: nanoseconds since 1970, UTC.
    package var started: Int64
    package var seed: UInt64
    /// The command line, with secrets taken out.
    package var argv: [String]
    package var tags: [String: String]
    package var shard: Shard?

    package init(
      id: String, started: Int64, seed: UInt64, argv: [String], tags: [String: String] = [:],
      shard: Shard? = nil
    ) {
      self.id = id
      self.started = started
      self.seed = seed
      self.argv = argv
      self.tags = tags
      self.shard = shard
    }
  }

  /// What TLS came to.
  package struct TLS: Sendable, Equatable {
    package var version: String
    package var cipher: String?

    package init(version: String, cipher: String? = nil) {
      self.version = version
      self.cipher = cipher
    }
  }

  /// Who was measured.
  package struct Target: Sendable, Equatable {
    /// The address, with secrets taken out.
    package var url: String
    /// The addresses connected to.
    package var addresses: [String]
    package var tls: TLS?
    package var extensions: [String]
    package var subprotocol: String?
    /// The `Server` header, a stranger's text.
    package var server: String?

    package init(
      url: String, addresses: [String] = [], tls: TLS? = nil, extensions: [String] = [],
      subprotocol: String? = nil, server: String? = nil
    ) {
      self.url = url
      self.addresses = addresses
      self.tls = tls
      self.extensions = extensions
      self.subprotocol = subprotocol
      self.server = server
    }
  }

  /// A stretch of the run.
  package struct Phase: Sendable, Equatable {
    /// The phases in their order.
    package enum Name: String, Sendable {
      case connect
      case settle
      case warmUp = "warm-up"
      case measure
      case drain
      case close
    }

    package var name: Name
    /// Nanoseconds since the start of the run.
    package var start: Int64
    /// Nanoseconds.
    package var duration: Int64

    package init(_ name: Name, start: Int64, duration: Int64) {
      self.name = name
      self.start = start
      self.duration = duration
    }
  }

  /// What became of the connections.
  package struct Connections: Sendable, Equatable {
    package var asked: Int
    package var opened: Int
    /// Never opened.
    package var failed: Int
    /// Opened and lost before we closed them.
    package var lost: Int

    package init(asked: Int, opened: Int, failed: Int, lost: Int) {
      self.asked = asked
      self.opened = opened
      self.failed = failed
      self.lost = lost
    }
  }

  /// What was timed, in the order of reports. `rawValue` is the name in JSON.
  package enum Metric: String, CaseIterable, Sendable {
    /// From the intended connect to open; successes only, as the four parts of it.
    case connect
    case dns
    case tcp
    case tls
    case upgrade
    /// From the intended send to the read: the headline.
    case roundTrip = "rtt"
    /// From the actual send to the read: uncorrected, to compare with other tools.
    case service = "rtt_service"
    /// From the intended to the actual send: the generator's fault.
    case late
    /// From the actual send to the last byte in the kernel: backpressure.
    case write
    /// From our close frame to the end of the connection.
    case close
  }

  /// Messages per second over the window.
  package struct Rates: Sendable, Equatable {
    /// What was asked for; nil in the closed model.
    package var target: Double?
    package var sent: Double
    package var answered: Double

    package init(target: Double? = nil, sent: Double, answered: Double) {
      self.target = target
      self.sent = sent
      self.answered = answered
    }
  }

  /// Bytes of the window, both directions.
  package struct Traffic: Sendable, Equatable {
    package var sent: Int
    package var received: Int

    package init(sent: Int = 0, received: Int = 0) {
      self.sent = sent
      self.received = received
    }
  }

  package var tool: Tool
  package var run: Run
  package var target: Target
  package var plan: LoadPlan
  package var phases: [Phase]
  package var verdict: Verdict
  package var connections: Connections
  package var messages: MessageCounts
  /// What was measured; a metric that was not has no entry.
  package var metrics: [Metric: LatencySummary]
  package var rates: Rates
  /// Payload of the messages.
  package var payload: Traffic
  /// Frames with their headers, before TLS.
  package var wire: Traffic
  package var errors: [ErrorTally.Entry]
  package var closes: [CloseTally.Entry]
  package var intervals: [IntervalSeries.Interval]
  package var selfCheck: SelfCheck
  package var host: HostFacts

  /// A report; what was not measured may be left out.
  package init(
    tool: Tool, run: Run, target: Target, plan: LoadPlan, phases: [Phase], verdict: Verdict,
    connections: Connections, messages: MessageCounts, metrics: [Metric: LatencySummary],
    rates: Rates, payload: Traffic = Traffic(), wire: Traffic = Traffic(),
    errors: [ErrorTally.Entry] = [], closes: [CloseTally.Entry] = [],
    intervals: [IntervalSeries.Interval] = [], selfCheck: SelfCheck = SelfCheck(),
    host: HostFacts = HostFacts()
  ) {
    self.tool = tool
    self.run = run
    self.target = target
    self.plan = plan
    self.phases = phases
    self.verdict = verdict
    self.connections = connections
    self.messages = messages
    self.metrics = metrics
    self.rates = rates
    self.payload = payload
    self.wire = wire
    self.errors = errors
    self.closes = closes
    self.intervals = intervals
    self.selfCheck = selfCheck
    self.host = host
  }

  /// The phase of that name, if the run had it.
  ///
  /// - Parameter name: Which one.
  /// - Returns: nil when the run ended before it.
  package func phase(_ name: Phase.Name) -> Phase? { phases.first { $0.name == name } }

  /// Checks sent = answered + unanswered + failed + in flight at end.
  ///
  /// - Returns: 0, or by how many messages the counters disagree.
  package func accounting() -> Int { messages.accounting() }

  /// Judges the report by the numbers in it and writes the verdict down.
  ///
  /// - Parameter targetMessages: Messages that the open schedule asked for in the window.
  package mutating func judge(targetMessages: Int?) {
    var evidence = Verdict.Evidence(
      messages: messages, roundTripP50: metrics[.roundTrip]?[.p50],
      loopDelayP99: selfCheck.loopDelayP99, busiestLoop: selfCheck.busiestLoop,
      host: selfCheck.host, files: selfCheck.files, latency: selfCheck.latency,
      throughput: selfCheck.throughput)
    if case .open = plan.model {
      evidence.target = targetMessages
      evidence.lateP99 = metrics[.late]?[.p99]
    }
    verdict = Verdict.judge(evidence)
  }
}
