package import Conversation

/// The result of a load test, as a value: text, JSON and every other output are made from it.
package struct LoadReport: Sendable, Equatable {
  /// The version of the JSON shape that this value is written in.
  package static let schema = "bench/1"

  /// The JSON Schema of that shape.
  package static var schemaDocument: [UInt8] { PackageResources.bench_schema_json }

  package var tool: Tool
  package var run: Run
  package var target: Target
  package var configuration: Configuration
  package var phases: [Phase]
  package var verdict: Verdict
  package var connections: Connections
  package var messages: MessageCounts
  /// What was measured; a metric that was not has no entry.
  package var metrics: [Metric: LatencySummary]
  package var rates: Rates
  /// Payload of the window messages, and of the answers to them.
  package var payload: Traffic
  /// Frames with their headers, before TLS, that the connections sent and received in the window.
  package var wire: Traffic
  /// nil without compression.
  package var compression: Compression?
  package var warmUp = WarmUp()
  /// nil when the window was as long as planned.
  package var cutShort: CutShort?
  /// Messages that the plan had for the window; where chance or the answers decide that, those that were sent
  /// or could not be.
  package var planned: Int
  /// Share of the window, from 0 to 1, in which the planned connections were open, on average.
  package var connectedShare = 1.0
  /// Replies that show that matching in order does not hold.
  package var unmatched = 0
  package var errors: [ErrorTally.Entry]
  package var closes: [CloseTally.Entry]
  package var intervals: [Interval]
  package var selfCheck: SelfCheck
  package var host: HostFacts
  /// What the result must keep.
  package var thresholds: [Threshold] = []
  /// The parts that a merged result was put together from, by their index; empty for any other.
  package var shards: [ShardRow] = []

  /// A report; what was not measured may be left out.
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

  /// Connections of this process: a shard has every n-th of them.
  package var ownConnections: Int {
    LoadReport.Shard.share(of: configuration.connections, run.shard)
  }

  /// Messages per second of this process in the open model; nil in the closed one.
  package var ownRate: Double? {
    configuration.pacing.rate.map {
      $0 * Double(ownConnections) / Double(max(1, configuration.connections))
    }
  }

  /// The phase of that name, if the run had it.
  ///
  /// - Parameter name: Which one.
  /// - Returns: nil when the run ended before it.
  package func phase(_ name: Phase.Name) -> Phase? { phases.first { $0.name == name } }

  /// The same report with other percentiles.
  ///
  /// One that is in the report stays as it is; the others are read from the stored histograms, within 0.1 %.
  ///
  /// - Parameter levels: What to show, in this order.
  /// - Returns: The report; a metric without its histogram keeps the percentiles that it has of these.
  package func showing(_ levels: [PercentileLevel]) -> LoadReport {
    var report = self
    for (metric, summary) in metrics { report.metrics[metric] = summary.showing(levels) }
    return report
  }

  /// Checks sent = answered + unanswered + failed + in flight at end.
  ///
  /// - Returns: 0, or by how many messages the counters disagree.
  package func accounting() -> Int { configuration.mode.mode.unaccounted(messages) }

  /// Judges the report by the numbers in it and writes the verdict down.
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
  }
}

// MARK: JSON

extension LoadReport {
  /// Writes the report as one JSON object: durations in whole nanoseconds, sizes in bytes, rates per second,
  /// `null` where nothing was measured.
  ///
  /// - Parameters:
  ///   - json: Where a value may begin.
  ///   - text: One sentence for a finding, for a person.
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
      json.member("verdict") { verdict.write(to: &$0, text: text) }
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

  /// Reads a report that `write` wrote. Members that are not known are ignored.
  ///
  /// - Parameter bytes: One JSON text.
  /// - Throws: What is wrong, and in which member.
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
    // The first results had none of these.
    warmUp = try messages.optional("warmup", WarmUp.init) ?? WarmUp()
    cutShort = try run.optional("cut_short", CutShort.init)
    planned = try messages.optionalInteger("planned") ?? self.messages.planned
    connectedShare = try connections.optionalNumber("open_share") ?? 1
    unmatched = try messages.optionalInteger("unmatched") ?? 0
    if try json.optional("shards") != nil { shards = try json.list("shards", ShardRow.init) }
    guard try json.optional("thresholds") != nil else { return }
    // How they went is worked out anew.
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
