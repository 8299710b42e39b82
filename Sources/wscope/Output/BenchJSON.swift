import Conversation
import LoadTesting

/// The report of `bench` for a program: schema `bench/1`. Times and durations are whole
/// nanoseconds, sizes bytes, rates messages per second; null where nothing was measured.
struct BenchJSON {
  private let report: LoadReport

  init(_ report: LoadReport) { self.report = report }

  /// One JSON object and a line feed.
  ///
  /// - Parameter layout: With line breaks for a person, or on one line for JSON Lines.
  /// - Returns: UTF-8 text.
  func text(layout: JSONWriter.Layout = .lines) -> String {
    var json = JSONWriter(layout: layout)
    json.object { json in
      json.member("schema", LoadReport.schema)
      json.member("tool", object: tool)
      json.member("run", object: run)
      json.member("target", object: target)
      json.member("config", object: config)
      json.member("phases", array: report.phases, phase)
      json.member("verdict", object: verdict)
      json.member("connections", object: connections)
      json.member("messages", object: messages)
      json.member("metrics", object: metrics)
      json.member("rates", object: rates)
      json.member("bytes", object: bytes)
      json.member("errors", array: report.errors, error)
      json.member("closes", array: report.closes, close)
      json.member("intervals", array: report.intervals, interval)
      json.member("self", object: selfCheck)
      json.member("env", object: environment)
    }
    json.startLine()
    return json.text
  }

  // MARK: what was run

  private func tool(_ json: inout JSONWriter) {
    json.member("name", report.tool.name)
    json.member("version", report.tool.version)
    json.member("commit", report.tool.commit)
    json.member("build", report.tool.build)
  }

  private func run(_ json: inout JSONWriter) {
    json.member("id", report.run.id)
    json.member("started", UTCTime(report.run.started).text)
    // A seed has 64 bits; readers that hold numbers as doubles would change it.
    json.member("seed", String(report.run.seed))
    json.member("argv", array: report.run.argv) { $0.string($1) }
    json.member("tags") { json in
      for (name, value) in report.run.tags.sorted(by: { $0.key < $1.key }) {
        json.member(name, value)
      }
    }
    json.key("shard")
    if let shard = report.run.shard {
      json.array([shard.index, shard.count]) { $0.integer($1) }
    } else {
      json.null()
    }
  }

  private func target(_ json: inout JSONWriter) {
    let target = report.target
    json.member("url", target.url)
    json.member("ips", array: target.addresses) { $0.string($1) }
    json.key("tls")
    if let tls = target.tls {
      json.object { json in
        json.member("version", tls.version)
        json.member("cipher", tls.cipher)
      }
    } else {
      json.null()
    }
    json.member("extensions", array: target.extensions) { $0.string($1) }
    json.member("subprotocol", target.subprotocol)
    json.member("server", target.server)
  }

  private func config(_ json: inout JSONWriter) {
    let plan = report.plan
    json.member("mode", plan.mode.rawValue)
    switch plan.model {
    case .open(let rate, let arrival):
      json.member("model", "open")
      json.member("rate", rate)
      json.member("arrival", arrival.rawValue)
    case .closed(let inflight):
      json.member("model", "closed")
      json.member("inflight", inflight)
    }
    json.member("connections", plan.connections)
    switch plan.length {
    case .duration(let ns): json.member("duration_ns", ns)
    case .messages(let count): json.member("messages", count)
    }
    json.member("size", plan.payloadSize)
    json.member("type", plan.kind.rawValue)
    json.member("match", plan.matching.rawValue)
    json.member("connect_rate", plan.connectRate)
    json.member("min_open", plan.minimumOpen)
    json.member("warmup_ns", plan.effectiveWarmUp)
    json.member("timeout_ns", plan.timeout)
    json.member("max_inflight", plan.maximumInFlight)
    json.member("threads", plan.threads)
  }

  private func phase(_ json: inout JSONWriter, _ phase: LoadReport.Phase) {
    json.object { json in
      json.member("name", phase.name.rawValue)
      json.member("start_ns", phase.start)
      json.member("dur_ns", phase.duration)
    }
  }

  private func verdict(_ json: inout JSONWriter) {
    let words = FindingText(report)
    json.member("state", report.verdict.state.rawValue)
    json.member("reasons", array: report.verdict.reasons) { json, reason in
      json.object { json in
        json.member("state", reason.state.rawValue)
        json.member("check", Self.name(reason.finding))
        json.member("text", words.text(reason.finding))
      }
    }
  }

  private static func name(_ finding: Verdict.Finding) -> String {
    switch finding {
    case .accounting: "accounting"
    case .nothingMeasured: "nothing_measured"
    case .belowTarget: "target"
    case .late: "late"
    case .loopDelay: "loop_delay"
    case .busyLoop: "cpu_loop"
    case .busyHost: "cpu_host"
    case .overloaded: "overloaded"
    case .latencyDrift: "steady_latency"
    case .throughputDrift: "steady_throughput"
    case .files: "fds"
    }
  }

  // MARK: what came out

  private func connections(_ json: inout JSONWriter) {
    json.member("asked", report.connections.asked)
    json.member("opened", report.connections.opened)
    json.member("failed", report.connections.failed)
    json.member("lost", report.connections.lost)
  }

  private func messages(_ json: inout JSONWriter) {
    let counts = report.messages
    json.member("sent", counts.sent)
    json.member("answered", counts.answered)
    json.member("answered_in_window", counts.answeredInWindow)
    json.member("unanswered", counts.unanswered)
    json.member("failed", counts.failed)
    json.member("in_flight_at_end", counts.inFlightAtEnd)
    json.member("unsent", counts.unsent)
    json.member("stale", counts.stale)
    json.member("unknown", counts.unknown)
    json.member("difference", report.accounting())
  }

  private func metrics(_ json: inout JSONWriter) {
    for metric in LoadReport.Metric.allCases {
      guard let summary = report.metrics[metric] else { continue }
      json.member(metric.rawValue) { json in
        json.member("unit", "ns")
        json.member("count", summary.count)
        json.member("censored", summary.censored)
        json.member("min", summary.min)
        json.member("max", summary.max)
        json.member("percentiles") { json in
          for row in summary.percentiles { json.member(row.level.text) { percentile(&$0, row) } }
        }
        if let hdr = summary.hdr { json.member("hdr", hdr) }
      }
    }
  }

  private func percentile(_ json: inout JSONWriter, _ row: LatencySummary.Row) {
    switch row.percentile {
    case .value(let ns): json.member("v", ns)
    case .atLeast(let ns): json.member("at_least", ns)
    case .tooFewSamples(let needed): json.member("needs_samples", needed)
    }
  }

  private func rates(_ json: inout JSONWriter) {
    json.member("target", report.rates.target)
    json.member("sent", report.rates.sent)
    json.member("answered", report.rates.answered)
  }

  private func bytes(_ json: inout JSONWriter) {
    for (name, traffic) in [("payload", report.payload), ("wire", report.wire)] {
      json.member(name) { json in
        json.member("sent", traffic.sent)
        json.member("received", traffic.received)
      }
    }
  }

  private func error(_ json: inout JSONWriter, _ entry: ErrorTally.Entry) {
    json.object { json in
      json.member("phase", entry.phase.rawValue)
      json.member("class", entry.class.name)
      json.member("code", entry.code)
      json.member("count", entry.count)
      json.member("first_ns", entry.first)
      json.member("sample", entry.sample)
    }
  }

  private func close(_ json: inout JSONWriter, _ entry: CloseTally.Entry) {
    json.object { json in
      json.member("code", entry.code)
      json.member("by", entry.by.rawValue)
      json.member("count", entry.count)
    }
  }

  private func interval(_ json: inout JSONWriter, _ interval: IntervalSeries.Interval) {
    json.object { json in
      json.member("t", interval.start)
      json.member("dur", interval.duration)
      json.member("sent", interval.sent)
      json.member("recv", interval.received)
      json.member("open", interval.open)
      json.member("p50", exact(interval.rtt[.p50]))
      json.member("p99", exact(interval.rtt[.p99]))
      json.member("max", interval.rtt.max)
      json.member("err", interval.errors)
      json.member("cpu", interval.cpu)
      json.member("lag_p99", interval.loopDelay)
    }
  }

  /// Intervals have a plain number or null; the metrics say why one is missing.
  private func exact(_ percentile: Percentile?) -> Int64? {
    guard case .value(let ns)? = percentile else { return nil }
    return ns
  }

  // MARK: who measured

  private func selfCheck(_ json: inout JSONWriter) {
    let check = report.selfCheck
    json.member("cpu_busiest_loop", check.busiestLoop)
    json.member("cpu_awake", check.awake)
    json.member("cpu_host", check.host)
    json.member("loop_delay_p99", check.loopDelayP99)
    json.member("fds_used", check.files?.used)
    json.member("fds_limit", check.files?.limit)
    json.member("latency_drift", drift(check.latency))
    json.member("throughput_drift", drift(check.throughput))
  }

  private func drift(_ steadiness: Steadiness) -> Double? {
    switch steadiness {
    case .unknown: nil
    case .steady: 0
    case .drifting(let change): change
    }
  }

  private func environment(_ json: inout JSONWriter) {
    let host = report.host
    json.member("os", host.system)
    json.member("kernel", host.kernel)
    json.member("machine", host.machine)
    json.member("cpu", host.processor)
    json.member("cores", host.cores)
    json.member("cpu_quota", host.cpuQuota)
    json.member("governor", host.governor)
    json.member("memory", host.memory)
    json.member("fd_limit", host.fileLimit)
    json.member("fd_limit_hard", host.fileLimitHard)
    json.key("ports")
    if let ports = host.portRange {
      json.array([ports.lowerBound, ports.upperBound]) { $0.integer($1) }
    } else {
      json.null()
    }
    json.member("somaxconn", host.listenBacklog)
    json.member("congestion_control", host.congestionControl)
  }
}
