import Conversation
import WebSocketProtocol

/// One row of the registry of metrics: a family of the text format of Prometheus.
package struct MetricEntry: Sendable {
  package enum Kind: String, Sendable {
    case counter, gauge, histogram
  }

  package var name: String
  package var kind: Kind
  /// One sentence.
  package var help: String
  var samples: @Sendable (MetricFigures) -> [MetricSample]

  init(
    _ name: String, _ kind: Kind, _ help: String,
    _ samples: @escaping @Sendable (MetricFigures) -> [MetricSample]
  ) {
    self.name = name
    self.kind = kind
    self.help = help
    self.samples = samples
  }

  /// A counter with one sample.
  init(
    _ name: String, _ help: String, _ count: @escaping @Sendable (MetricFigures) -> UInt64
  ) {
    self.init(name, .counter, help) { [MetricSample(count($0))] }
  }
}

/// One line of a family.
struct MetricSample: Sendable {
  /// What follows the name of the family.
  var suffix = ""
  var labels: [(name: String, value: String)] = []
  var value: String

  init(_ count: some BinaryInteger, _ labels: [(name: String, value: String)] = []) {
    value = String(count)
    self.labels = labels
  }

  init(_ number: Double, suffix: String = "") {
    value = String(number)
    self.suffix = suffix
  }
}

/// What the metrics are made from.
struct MetricFigures: Sendable {
  var loops: LoopCounters
  var events: EventCounters.Counts
  var process: ProcessFigures
  var version: String
  /// Processes of connections that run.
  var processes: Int
  /// What answers connections.
  var behaviour: String
  /// The rules that have a count of their own, by their lines.
  var rules: [Int]
}

/// The metrics of a server. Labels are closed sets, never what a client sent: the number of series
/// is bounded.
package enum Metrics {
  package static let all = connections + messages + others + process

  private static let connections = [
    MetricEntry("wscope_build_info", .gauge, "Version of wscope and what answers connections.") {
      [MetricSample(1, [("version", $0.version), ("behaviour", $0.behaviour)])]
    },
    MetricEntry("wscope_connections", .gauge, "Open connections, event streams included.") {
      [MetricSample($0.loops.connections)]
    },
    MetricEntry("wscope_connections_total", "Connections that have been opened.") {
      $0.events.clients
    },
    MetricEntry(
      "wscope_handshakes_total", .counter,
      "Opened connections and rejected requests by the HTTP status of the reply."
    ) { labelled($0.events.statuses, "status") },
    MetricEntry(
      "wscope_refused_origins_total", "Requests rejected for their Host or Origin."
    ) { $0.events.refusedOrigins },
    MetricEntry(
      "wscope_closes_total", .counter,
      "Ended connections by close code and by the side that closed; none is a lost connection."
    ) { figures in
      EventCounters.Closer.allCases.flatMap { closer in
        figures.events.closes[closer].map { labelled($0, "code", ("by", closer.rawValue)) } ?? []
      }
    },
    MetricEntry(
      "wscope_connection_duration_seconds", .histogram, "Duration of ended connections."
    ) { histogram($0.events.durations) },
    MetricEntry(
      "wscope_protocol_errors_total", .counter,
      "Connections closed for a violation by the client, by close code."
    ) { labelled($0.events.violations, "code") },
  ]

  private static let messages = [
    MetricEntry("wscope_messages_received_total", "Messages received.") {
      $0.loops.traffic.messagesIn
    },
    MetricEntry("wscope_messages_sent_total", "Messages sent, events of streams included.") {
      $0.loops.traffic.messagesOut
    },
    MetricEntry("wscope_received_bytes_total", "Payload bytes of received messages.") {
      $0.loops.traffic.payloadIn
    },
    MetricEntry("wscope_sent_bytes_total", "Payload bytes of sent messages.") {
      $0.loops.traffic.payloadOut
    },
    MetricEntry("wscope_wire_received_bytes_total", "Bytes of received frames.") {
      $0.loops.traffic.wireIn
    },
    MetricEntry("wscope_wire_sent_bytes_total", "Bytes of sent frames.") {
      $0.loops.traffic.wireOut
    },
    MetricEntry("wscope_pings_received_total", "Pings received.") { $0.loops.pingsIn },
    MetricEntry("wscope_pongs_received_total", "Pongs received.") { $0.loops.pongsIn },
    MetricEntry("wscope_pings_sent_total", "Pings sent.") { $0.loops.pingsOut },
    MetricEntry(
      "wscope_send_queue_bytes", .gauge, "Bytes that wait for clients that read slowly."
    ) { [MetricSample($0.loops.queuedBytes)] },
    MetricEntry(
      "wscope_slow_consumers_total", "Clients that were closed or missed messages for being slow."
    ) { $0.loops.slowConsumers },
  ]

  private static let others = [
    MetricEntry(
      "wscope_faults_total", .counter, "Connections and handshakes on which a fault acted."
    ) { figures in
      Faults.all.map {
        MetricSample(figures.events.faults[$0.name] ?? 0, [("kind", $0.name)])
      }
    },
    MetricEntry("wscope_rule_matches_total", .counter, "Messages taken by a rule.") { figures in
      let matches = figures.loops.ruleMatches
      let others = matches.filter { !figures.rules.contains($0.key) }.values.reduce(0, +)
      return figures.rules.map {
        MetricSample(matches[$0] ?? 0, [("rule", Script.ruleName($0))])
      } + [MetricSample(others, [("rule", "other")])]
    },
    MetricEntry("wscope_unmatched_messages_total", "Messages that no rule took.") {
      $0.loops.unmatched
    },
    MetricEntry("wscope_exec_processes", .gauge, "Processes of connections that run.") {
      [MetricSample($0.processes)]
    },
    MetricEntry(
      "wscope_exec_exits_total", .counter, "Processes of connections that have ended."
    ) { figures in
      let ends = figures.events.programs
      return [("0", ends.successes), ("error", ends.errors), ("signal", ends.signals)].map {
        MetricSample($0.1, [("status", $0.0)])
      }
    },
  ]

  private static let process = [
    MetricEntry("process_cpu_seconds_total", .counter, "CPU time of the process in seconds.") {
      [MetricSample($0.process.cpuSeconds)]
    },
    MetricEntry("process_resident_memory_bytes", .gauge, "Resident memory of the process.") {
      [MetricSample($0.process.residentBytes)]
    },
    MetricEntry("process_open_fds", .gauge, "Open file descriptors.") {
      [MetricSample($0.process.openFiles)]
    },
    MetricEntry("process_max_fds", .gauge, "Limit of open file descriptors.") {
      [MetricSample($0.process.maxFiles)]
    },
    MetricEntry(
      "process_start_time_seconds", .gauge, "Start of the process in seconds since 1970."
    ) { [MetricSample($0.process.startTime)] },
  ]

  private static func labelled(
    _ counts: LabelledCounts, _ label: String, _ further: (name: String, value: String)? = nil
  ) -> [MetricSample] {
    let more = further.map { [$0] } ?? []
    return counts.counts.sorted { $0.key < $1.key }.map {
      MetricSample($0.value, [(label, String($0.key))] + more)
    } + [MetricSample(counts.others, [(label, "other")] + more)]
  }

  private static func histogram(_ durations: DurationCounts) -> [MetricSample] {
    var count: UInt64 = 0
    let names = DurationCounts.bounds.map { String($0) } + ["+Inf"]
    var samples = zip(names, durations.buckets).map { name, bucket in
      count += bucket
      var sample = MetricSample(count, [("le", name)])
      sample.suffix = "_bucket"
      return sample
    }
    samples.append(MetricSample(durations.sum, suffix: "_sum"))
    var total = MetricSample(count)
    total.suffix = "_count"
    return samples + [total]
  }

  // MARK: The text

  static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// The text format 0.0.4 of Prometheus.
  static func text(_ figures: MetricFigures) -> String {
    var text = ""
    for entry in all {
      text += "# HELP \(entry.name) \(entry.help)\n# TYPE \(entry.name) \(entry.kind.rawValue)\n"
      for sample in entry.samples(figures) {
        let labels = sample.labels.map { "\($0.name)=\"\(escaped($0.value))\"" }
          .joined(separator: ",")
        text +=
          entry.name + sample.suffix + (labels.isEmpty ? "" : "{\(labels)}")
          + " \(sample.value)\n"
      }
    }
    return text
  }

  private static func escaped(_ value: String) -> String {
    value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
  }
}
