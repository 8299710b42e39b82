package import Conversation

/// The result of a load test. Text, JSON and every other output are made from this value.
package struct LoadReport: Sendable, Equatable {
  /// The name and version of the JSON format of results.
  package static let schema = "bench/1"

  /// The JSON Schema of that format.
  package static var schemaDocument: [UInt8] { PackageResources.bench_schema_json }

  package var tool: Tool
  package var run: Run
  package var target: Target
  package var configuration: Configuration
  /// The phases of the run in chronological order.
  package var phases: [Phase]
  package var verdict: Verdict
  package var connections: Connections
  /// The outcomes of the window messages.
  package var messages: MessageCounts
  /// The measured metrics; metrics without samples have no entry.
  package var metrics: [Metric: LatencySummary]
  package var rates: Rates
  /// Payload bytes of the window messages, and of the answers to them.
  package var payload: Traffic
  /// Bytes of frames, including their headers but without TLS, sent and received in the window.
  package var wire: Traffic
  /// Bytes before and after compression; nil without compression.
  package var compression: Compression?
  /// The outcomes of the warm-up messages, which `messages` does not include.
  package var warmUp = WarmUp()
  /// How the window was cut short; nil if it was as long as planned.
  package var cutShort: CutShort?
  /// Messages planned for the window. Where the plan has no fixed number (Poisson arrival, closed
  /// model, interrupted runs), all messages that were sent or should have been.
  package var planned: Int
  /// The share of the window, from 0 to 1, in which the planned connections were open on average.
  package var connectedShare = 1.0
  /// Replies which show that matching in order does not hold.
  package var unmatched = 0
  /// Failures by kind, the most frequent first.
  package var errors: [ErrorTally.Entry]
  /// Ends of connections by code and side, the most frequent first.
  package var closes: [CloseTally.Entry]
  /// The intervals of warm-up and window, in chronological order.
  package var intervals: [Interval]
  package var selfCheck: SelfCheck
  package var host: HostFacts
  /// Limits on the result.
  package var thresholds: [Threshold] = []
  /// Whether the measurement was judged, beyond whether its counts add up.
  package var isChecked = true
  /// The parts that a merged result was put together from, by their index; empty for any other.
  package var shards: [ShardRow] = []

  /// Creates a report; figures that were not measured may be omitted.
  package init(
    tool: Tool, run: Run, target: Target, configuration: Configuration, phases: [Phase],
    verdict: Verdict,
    connections: Connections, messages: MessageCounts, metrics: [Metric: LatencySummary],
    rates: Rates, payload: Traffic = Traffic(), wire: Traffic = Traffic(),
    errors: [ErrorTally.Entry] = [], closes: [CloseTally.Entry] = [],
    intervals: [Interval] = [], selfCheck: SelfCheck = SelfCheck(),
    host: HostFacts = HostFacts()
  ) {
    self.tool = tool
    self.run = run
    self.target = target
    self.configuration = configuration
    self.phases = phases
    self.verdict = verdict
    self.connections = connections
    self.messages = messages
    planned = messages.planned
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

  /// The number of connections of this process: a shard has every n-th one.
  package var ownConnections: Int {
    LoadReport.Shard.share(of: configuration.connections, run.shard)
  }

  /// Messages per second of this process in the open model; nil in the closed model.
  package var ownRate: Double? {
    configuration.pacing.rate.map {
      $0 * Double(ownConnections) / Double(max(1, configuration.connections))
    }
  }

  /// The phase with this name; nil if the run ended before it or skipped it.
  package func phase(_ name: Phase.Name) -> Phase? { phases.first { $0.name == name } }

  /// Returns the same report with other percentiles.
  ///
  /// Percentiles that the report has are kept; the others are computed from the stored histograms,
  /// within 0.1 %.
  ///
  /// - Parameter levels: The percentiles to include, in this order.
  /// - Returns: The report. A metric without a histogram has only those percentiles that it had.
  package func showing(_ levels: [PercentileLevel]) -> LoadReport {
    var report = self
    for (metric, summary) in metrics { report.metrics[metric] = summary.showing(levels) }
    return report
  }

  /// Checks that sent = answered + unanswered + failed + in flight at end.
  ///
  /// - Returns: 0, or the number of messages by which the counts disagree.
  package func accounting() -> Int { configuration.mode.mode.unaccounted(messages) }

  /// Sets `verdict` from the numbers in the report.
  package mutating func judge() {
    var evidence = Verdict.Evidence(
      messages: messages, contradictions: contradictions().count,
      roundTripP50: metrics[.roundTrip]?[.p50],
      loopDelayP99: selfCheck.loopDelayP99, busiestLoop: selfCheck.busiestLoop,
      host: selfCheck.host, throttling: selfCheck.throttling, files: selfCheck.files,
      latency: selfCheck.latency, throughput: selfCheck.throughput)
    evidence.difference = accounting()
    evidence.target = planned
    evidence.connectedShare = connectedShare
    evidence.unmatched = unmatched
    evidence.isCutShort = cutShort != nil
    if configuration.pacing.isOpen {
      evidence.isOpenModel = true
      evidence.lateP99 = metrics[.late]?[.p99]
      evidence.backlog = selfCheck.backlog
    }
    verdict = Verdict.judge(evidence)
    guard !isChecked else { return }
    verdict = Verdict(
      reasons: verdict.reasons.filter {
        [.accounting, .nothingMeasured].contains($0.finding.check)
      })
  }
}

// MARK: JSON

extension LoadReport {
  /// Writes the report as one JSON object: durations in whole nanoseconds, sizes in bytes, rates
  /// per second, `null` for figures that were not measured.
  ///
  /// - Parameters:
  ///   - json: A writer at a position where a value may begin.
  ///   - text: Returns the text of a finding, one sentence.
  package func write(to json: inout JSONWriter, text: (Verdict.Finding) -> String) {
    json.object { json in
      json.member("schema", Self.schema)
      json.member("tool", object: tool.write)
      json.member("run") { json in
        run.write(to: &json)
        json.key("cut_short")
        if let cutShort {
          cutShort.write(to: &json, planned: configuration.duration)
        } else {
          json.null()
        }
      }
      json.member("target", object: target.write)
      json.member("config", object: configuration.write)
      json.member("phases", array: phases) { $1.write(to: &$0) }
      json.member("verdict") { json in
        verdict.write(to: &json, text: text)
        if !isChecked { json.member("checked", false) }
      }
      json.member("connections") { json in
        connections.write(to: &json)
        json.member("open_share", connectedShare)
      }
      json.member("messages") { json in
        json.member("planned", planned)
        messages.write(to: &json)
        json.member("unmatched", unmatched)
        json.member("difference", accounting())
        json.member("warmup", object: warmUp.write)
      }
      json.member("metrics") { json in
        for metric in configuration.mode.metrics {
          guard let summary = metrics[metric] else { continue }
          json.member(metric.key) { summary.write(to: &$0, unit: metric.unit) }
        }
      }
      json.member("rates", object: rates.write)
      json.member("bytes") { json in
        json.member("payload", object: payload.write)
        json.member("wire", object: wire.write)
        if let compression { json.member("compression", object: compression.write) }
      }
      json.member("errors", array: errors) { $1.write(to: &$0) }
      json.member("closes", array: closes) { $1.write(to: &$0) }
      json.member("intervals", array: intervals) { $1.write(to: &$0) }
      json.member("heat_metric", configuration.mode.headline.key)
      json.member("self", object: selfCheck.write)
      json.member("env", object: host.write)
      json.member("thresholds", array: outcomes) { $1.write(to: &$0) }
      if !shards.isEmpty { json.member("shards", array: shards) { $1.write(to: &$0) } }
    }
  }

  /// Reads a report that `write` wrote. Unknown members are ignored.
  ///
  /// - Parameter bytes: One JSON text.
  /// - Throws: `ResultError` with the cause and the path of the invalid member.
  package init(json bytes: [UInt8]) throws(ResultError) {
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONValue.parse(bytes)
    } catch {
      throw ResultError(path: "", problem: "not JSON: \(error.problem) at byte \(error.offset)")
    }
    try self.init(ResultValue(value))
  }

  init(_ json: ResultValue) throws(ResultError) {
    let schema = try json.member("schema")
    guard try schema.text() == Self.schema else {
      throw schema.error("not \(Self.schema)")
    }
    let run = try json.member("run")
    let connections = try json.member("connections")
    let messages = try json.member("messages")
    let bytes = try json.member("bytes")
    let configuration = try Configuration(json.member("config"))
    var metrics: [Metric: LatencySummary] = [:]
    let stored = try json.member("metrics")
    for metric in configuration.mode.metrics {
      if let summary = try stored.optional(metric.key) {
        metrics[metric] = try LatencySummary(summary, unit: metric.unit)
      }
    }
    self.init(
      tool: try Tool(json.member("tool")), run: try Run(run),
      target: try Target(json.member("target")), configuration: configuration,
      phases: try json.list("phases", Phase.init), verdict: try Verdict(json.member("verdict")),
      connections: try Connections(connections), messages: try MessageCounts(messages),
      metrics: metrics, rates: try Rates(json.member("rates")),
      payload: try Traffic(bytes.member("payload")), wire: try Traffic(bytes.member("wire")),
      errors: try json.list("errors", ErrorTally.Entry.init),
      closes: try json.list("closes", CloseTally.Entry.init),
      intervals: try json.list("intervals", Interval.init),
      selfCheck: try SelfCheck(json.member("self")), host: try HostFacts(json.member("env")))
    compression = try bytes.optional("compression", Compression.init)
    // Results of early versions do not have these members.
    warmUp = try messages.optional("warmup", WarmUp.init) ?? WarmUp()
    cutShort = try run.optional("cut_short", CutShort.init)
    planned = try messages.optionalInteger("planned") ?? self.messages.planned
    connectedShare = try connections.optionalNumber("open_share") ?? 1
    unmatched = try messages.optionalInteger("unmatched") ?? 0
    isChecked = try json.member("verdict").optional("checked")?.boolean() ?? true
    if try json.optional("shards") != nil { shards = try json.list("shards", ShardRow.init) }
    guard try json.optional("thresholds") != nil else { return }
    // Only the expressions are read: `outcomes` is computed from the numbers.
    thresholds = try json.list("thresholds") { outcome throws(ResultError) in
      let expression = try outcome.member("expr")
      let text = try expression.text()
      do throws(Threshold.Failure) {
        return try Threshold(text)
      } catch {
        throw expression.error(error.message)
      }
    }
  }
}
