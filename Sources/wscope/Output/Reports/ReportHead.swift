import LoadTesting

/// What was run, in the words that every report begins with.
struct ReportHead {
  private let report: LoadReport

  init(_ report: LoadReport) { self.report = report }

  /// `echo, open loop, 1000 conns × 20 msg/s, 64 B, constant`.
  var setup: String {
    let plan = report.configuration
    let own = report.ownConnections
    let conns = "\(Figures.count(own)) conn\(own == 1 ? "" : "s")"
    var parts = [plan.mode.name]
    switch plan.pacing {
    case .open:
      let rate = report.ownRate ?? 0
      let each = Figures.rate(rate / Double(max(1, own)))
      parts += ["open loop", "\(conns) × \(each) msg/s"]
    case .closed(let inflight):
      parts += ["closed loop", "\(conns) × \(Figures.count(inflight)) in flight"]
    }
    if let shard = report.run.shard {
      parts.append("shard \(shard.index)/\(shard.count) of \(Figures.count(plan.connections))")
    }
    parts.append(Figures.bytes(plan.payloadSize))
    if let arrival = plan.pacing.arrival { parts.append(arrival.rawValue) }
    return parts.joined(separator: ", ")
  }

  /// The share of the planned messages that was sent, never rounded up to all of them; nil in the closed loop.
  var targetShare: String? {
    guard report.configuration.pacing.isOpen, report.planned > 0 else { return nil }
    let share = Double(report.messages.sent) / Double(report.planned)
    return Figures.percent((share * 1000).rounded(.down) / 1000, decimals: 1)
  }

  /// How much of the plan was carried out.
  var facts: [String] {
    var facts: [String] = []
    if let targetShare { facts.append("target reached " + targetShare) }
    if let measured = report.phase(.measure) {
      var fact = Figures.seconds(measured.duration) + " measured"
      if let warmUp = report.phase(.warmUp) {
        fact += " after \(Figures.seconds(warmUp.duration)) warm-up"
      }
      facts.append(fact)
    }
    if !report.configuration.pacing.isOpen {
      facts.append("closed loop: latency excludes waiting; use -R for latency")
    }
    return facts
  }
}
