import Conversation
import LoadTesting

/// The facts of a run beside its figures: the target, the plan, the program and the machine.
struct EnvironmentRows {
  private let report: LoadReport

  init(_ report: LoadReport) { self.report = report }

  var all: [(name: String, value: String)] {
    (target + run + host).compactMap { name, value in value.map { (name, $0) } }
  }

  private typealias Fact = (String, String?)

  private var target: [Fact] {
    let target = report.target
    let tls = target.tls.map { [$0.version, $0.cipher].compactMap(\.self).joined(separator: ", ") }
    return [
      ("Target", target.url),
      ("Addresses", Self.list(target.addresses)),
      ("TLS", tls ?? "none"),
      ("Extensions", Self.list(target.extensions)),
      ("Subprotocol", target.subprotocol),
      ("Server", target.server),
    ]
  }

  private var run: [Fact] {
    let run = report.run
    let plan = report.configuration
    let tool = report.tool
    return [
      ("Started", UTCTime(run.started).text),
      ("Ended", run.ended.rawValue),
      ("Run", run.id),
      ("Seed", String(run.seed)),
      ("Tags", Self.list(run.tags.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })),
      (
        "Messages",
        "\(Figures.bytes(plan.payloadSize)) \(plan.kind.rawValue), \(plan.content.rawValue), "
          + "matched by \(plan.matching.rawValue)"
      ),
      ("Timeout", Figures.shortDuration(plan.timeout)),
      ("Threads", Figures.count(plan.threads)),
      (
        "Program",
        "\(tool.name) \(tool.version) (\([tool.build, tool.commit].compactMap(\.self).joined(separator: ", ")))"
      ),
    ]
  }

  private var host: [Fact] {
    let host = report.host
    return [
      (
        "System",
        Self.joined([host.system, host.kernel, host.machine])
      ),
      ("Processor", host.processor),
      (
        "Cores",
        host.cores.map { cores in
          "\(cores)" + (host.cpuQuota.map { ", limited to \(Figures.rate($0))" } ?? "")
        }
      ),
      ("Frequency governor", host.governor),
      ("Memory", host.memory.map(Figures.bytes)),
      (
        "Open files",
        host.fileLimit.map { limit in
          "\(Figures.count(limit))"
            + (host.fileLimitHard.map { ", at most \(Figures.count($0))" } ?? "")
        }
      ),
      ("Source ports", host.portRange.map { "\($0.lowerBound) to \($0.upperBound)" }),
      ("Congestion control", host.congestionControl),
    ]
  }

  private static func list(_ values: [String]) -> String? {
    values.isEmpty ? nil : values.joined(separator: ", ")
  }

  private static func joined(_ values: [String?]) -> String? {
    let known = values.compactMap(\.self)
    return known.isEmpty ? nil : known.joined(separator: " ")
  }
}
