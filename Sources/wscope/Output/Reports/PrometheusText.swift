import LoadTesting

/// The figures of a run in the text format 0.0.4 of Prometheus.
struct PrometheusText {
  /// What does not change during a run.
  struct Subject: Sendable {
    var version: String
    var mode: LoadModeEntry
    var shard: LoadReport.Shard?
    /// The URL of the server, of which only the host is shown.
    var url: String
    var thresholds: [Threshold]
  }

  static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  private typealias Labels = [(name: String, value: String)]
  private static let prefix = "wscope_bench_"

  private let subject: Subject
  private let totals: LoadTotals

  init(_ subject: Subject, _ totals: LoadTotals) {
    self.subject = subject
    self.totals = totals
  }

  init(_ report: LoadReport) {
    self.init(
      Subject(
        version: report.tool.version, mode: report.configuration.mode, shard: report.run.shard,
        url: report.target.url, thresholds: report.thresholds),
      LoadTotals(report))
  }

  var text: String {
    var text = ""
    for metric in subject.mode.metrics where !Self.parts.contains(metric) {
      appendHistogram(metric, to: &text)
    }
    append(counters, to: &text)
    append(gauges, to: &text)
    return text
  }

  // MARK: Histograms

  /// The parts of the time to open a connection; they are labels of one family.
  private static let parts: [Metric] = [.dns, .tcp, .tls, .upgrade]

  /// 1, 2 and 5 times the powers of ten from 100 µs to 50 s, in nanoseconds.
  private static let bounds: [Int64] = {
    var decades: [Int64] = []
    var decade: Int64 = 100_000
    while decade <= 10_000_000_000 {
      decades += [decade, 2 * decade, 5 * decade]
      decade *= 10
    }
    return decades
  }()

  /// The usual bounds, and the limits of thresholds on the same metric.
  private func bounds(of metric: Metric) -> [Int64] {
    let limits = subject.thresholds.compactMap { threshold -> Int64? in
      guard case .metric(metric, _) = threshold.quantity, threshold.unit == .duration,
        threshold.limit >= 1, threshold.limit <= Double(LatencyHistogram.longest)
      else { return nil }
      return Int64(threshold.limit.rounded())
    }
    return Set(Self.bounds + limits).sorted()
  }

  private func appendHistogram(_ metric: Metric, to text: inout String) {
    let name = "\(Self.prefix)\(metric.key)_seconds"
    let series: [(metric: Metric, labels: Labels)] =
      metric == .connect
      ? [(.connect, [("phase", "total")])]
        + Self.parts.filter(subject.mode.metrics.contains).map { ($0, [("phase", $0.key)]) }
      : [(metric, [])]
    let note =
      [.roundTrip, .service].contains(metric)
      ? " Messages that were not answered are in +Inf and _count, not in _sum." : ""
    Self.appendHead(name, "histogram", metric.summary + note, to: &text)
    for (metric, labels) in series {
      let bounds = bounds(of: metric)
      let counts = BoundedCounts(totals.samples[metric], bounds: bounds)
      for (bound, count) in zip(bounds, counts.cumulative) {
        let le = IntervalFormat.scaled(bound, decimals: 9)
        Self.append(name + "_bucket", labels + [("le", le)], "\(count)", to: &text)
      }
      Self.append(name + "_bucket", labels + [("le", "+Inf")], "\(counts.total)", to: &text)
      Self.append(name + "_sum", labels, "\(counts.sum / 1e9)", to: &text)
      Self.append(name + "_count", labels, "\(counts.total)", to: &text)
    }
  }

  // MARK: Counters and gauges

  private struct Family {
    var name: String
    var type: String
    var help: String
    var samples: [(labels: Labels, value: String)]
  }

  private var counters: [Family] {
    let messages = totals.messages
    let outcomes = [
      ("sent", messages.sent), ("answered", messages.answered),
      ("answered_in_window", messages.answeredInWindow), ("unanswered", messages.unanswered),
      ("failed", messages.failed), ("in_flight_at_end", messages.inFlightAtEnd),
      ("unsent", messages.unsent), ("no_connection", messages.missing),
      ("dropped", messages.dropped), ("late_replies", messages.late),
      ("double_replies", messages.duplicate), ("unknown", messages.unknown),
    ]
    let connections = totals.connections
    let opened = [
      ("opened", connections.opened), ("failed", connections.failed), ("lost", connections.lost),
    ]
    let bytes = [("payload", totals.payload), ("wire", totals.wire)].flatMap { layer, traffic in
      [("sent", traffic.sent), ("received", traffic.received)].map { direction, count in
        (labels: [("direction", direction), ("layer", layer)] as Labels, value: "\(count)")
      }
    }
    return [
      Family(
        name: "messages_total", type: "counter",
        help: "Messages of the measurement by outcome, as in messages of the JSON result.",
        samples: outcomes.map { ([("result", $0)], "\($1)") }),
      Family(
        name: "connections_total", type: "counter",
        help: "Connections by outcome; lost ones had been opened.",
        samples: opened.map { ([("result", $0)], "\($1)") }),
      Family(
        name: "bytes_total", type: "counter",
        help: "Bytes of the messages of the measurement and their answers; wire counts frames.",
        samples: bytes),
      Family(
        name: "errors_total", type: "counter",
        help: "Failures by the phase of the connection and by class.", samples: errors),
      Family(
        name: "closes_total", type: "counter",
        help: "Ended connections by close code and by the side that closed first.",
        samples: closes),
    ]
  }

  /// Every phase with every class, so that a series does not begin with its first failure; replies of
  /// HTTP are too many for that.
  private var errors: [(labels: Labels, value: String)] {
    var counts: [String: Int] = [:]
    for entry in totals.errors {
      counts["\(entry.phase.rawValue) \(entry.class.name)", default: 0] += entry.count
    }
    let others = totals.errors.map(\.class.name).filter { name in
      !ErrorTally.Class.plain.contains { $0.name == name }
    }
    let names = ErrorTally.Class.plain.map(\.name) + Set(others).sorted()
    return ErrorTally.Phase.allCases.flatMap { phase in
      names.map { name in
        (
          [("phase", phase.rawValue), ("class", name)],
          "\(counts["\(phase.rawValue) \(name)"] ?? 0)"
        )
      }
    }
  }

  private var closes: [(labels: Labels, value: String)] {
    var tally = totals.closes.map { (code: $0.code, by: $0.by, count: $0.count) }
    for code in [1000, 1001, 1005, 1006] {
      for side in [CloseTally.Side.ours, .peer]
      where !tally.contains(where: { $0.code == code && $0.by == side }) {
        tally.append((code, side, 0))
      }
    }
    return tally.sorted { ($0.code, $0.by.rawValue) < ($1.code, $1.by.rawValue) }.map {
      ([("code", "\($0.code)"), ("by", $0.by.rawValue)], "\($0.count)")
    }
  }

  private var gauges: [Family] {
    func number(_ value: Double?) -> [(labels: Labels, value: String)] { [([], "\(value ?? 0)")] }
    func flags(
      _ label: String, _ names: [String], _ set: String?
    ) -> [(labels: Labels, value: String)] {
      names.map { ([(label, $0)], $0 == set ? "1" : "0") }
    }
    let delay = totals.loopDelay.map { Double($0) / 1e9 }
    return [
      Family(
        name: "connections", type: "gauge",
        help: "Connections by state; after the run, those at the end of the measurement.",
        samples: [
          ([("state", "open")], "\(totals.open)"),
          ([("state", "connecting")], "\(totals.connecting)"),
        ]),
      Family(
        name: "rate_target", type: "gauge",
        help: "Messages per second that should be sent; 0 in the closed loop.",
        samples: number(totals.targetRate)),
      Family(
        name: "rate_achieved_ratio", type: "gauge",
        help: "Share of the messages due in the measurement that was sent; 0 in the closed loop.",
        samples: number(totals.sentShare)),
      Family(
        name: "generator_cpu_ratio", type: "gauge",
        help: "CPU of the busiest event loop of this client, as a share of a core.",
        samples: number(totals.cpu)),
      Family(
        name: "generator_loop_delay_seconds", type: "gauge",
        help: "99th percentile of the delay of the slowest event loop of this client.",
        samples: number(delay)),
      Family(
        name: "phase", type: "gauge", help: "1 for the phase that is running; all 0 after the run.",
        samples: flags(
          "phase", LoadReport.Phase.Name.allCases.map(\.rawValue), totals.phase?.rawValue)),
      Family(
        name: "verdict", type: "gauge", help: "1 for the verdict; all 0 during the run.",
        samples: flags(
          "state", Verdict.State.allCases.map(\.rawValue), totals.verdict?.rawValue)),
      Family(
        name: "threshold_ok", type: "gauge",
        help: "1 if the threshold holds, 0 if it is broken; absent while that is undecided.",
        samples: totals.outcomes.filter { $0.state != .undecided }.map {
          ([("expr", $0.threshold.text)], $0.state == .pass ? "1" : "0")
        }),
      Family(
        name: "info", type: "gauge", help: "What is measured; the value is always 1.",
        samples: [(info, "1")]),
    ]
  }

  private var info: Labels {
    [
      ("version", subject.version), ("mode", subject.mode.name),
      ("shard", subject.shard.map { "\($0.index)/\($0.count)" } ?? ""), ("target", host),
    ]
  }

  /// The host and port in the URL.
  private var host: String {
    let rest = subject.url.firstRange(of: "://").map { subject.url[$0.upperBound...] } ?? ""
    return String(rest.prefix { !"/?#".contains($0) })
  }

  // MARK: Lines

  private func append(_ families: [Family], to text: inout String) {
    for family in families where !family.samples.isEmpty {
      let name = Self.prefix + family.name
      Self.appendHead(name, family.type, family.help, to: &text)
      for (labels, value) in family.samples { Self.append(name, labels, value, to: &text) }
    }
  }

  private static func appendHead(
    _ name: String, _ type: String, _ help: String, to text: inout String
  ) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  private static func append(
    _ name: String, _ labels: Labels, _ value: String, to text: inout String
  ) {
    text += name
    if !labels.isEmpty {
      text +=
        "{" + labels.map { "\($0.name)=\"\(escaped($0.value))\"" }.joined(separator: ",") + "}"
    }
    text += " \(value)\n"
  }

  private static func escaped(_ value: String) -> String {
    value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
  }
}
