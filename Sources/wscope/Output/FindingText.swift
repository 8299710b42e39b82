import LoadTesting

/// The words for what is wrong with a measurement: name, number, remedy.
struct FindingText {
  /// The plan, for remedies that name a better value.
  let plan: LoadPlan
  /// Cores of this host, if known: more threads than cores help nobody.
  let cores: Int?

  init(_ report: LoadReport) {
    plan = report.plan
    cores = report.host.cores
  }

  /// One sentence for a finding, without its state.
  func text(_ finding: Verdict.Finding) -> String {
    switch finding {
    case .accounting(let difference):
      "accounting off by \(Figures.count(difference)) messages: sent is not answered + unanswered "
        + "+ failed + in flight; do not use these numbers, and report this as a bug of wscope"
    case .nothingMeasured:
      "no message was sent, so nothing was measured; see the errors below"
    case .belowTarget(let share):
      "target reached \(Figures.percent(share, decimals: 1)); the rate was not kept by this client. "
        + "Lower -R, or \(moreClient)"
    case .late(let p99, let roundTrip):
      "sent late, p99 \(Figures.duration(p99))\(beside(roundTrip)); results may show this client. "
        + "Lower -R, or \(moreClient)"
    case .loopDelay(let p99):
      "event loop delay p99 \(Figures.duration(p99)); results may show this client. "
        + "Use an idle machine, or \(moreClient)"
    case .busyLoop(let share):
      "busiest loop thread \(Figures.percent(share, decimals: 0)) CPU; "
        + "results may show this client. \(sentence(moreClient))"
    case .busyHost(let share):
      "host \(Figures.percent(share, decimals: 0)) CPU; results may show this machine. "
        + "Use an idle machine, and another one for the server"
    case .overloaded(let unsent):
      "overloaded: \(Figures.count(unsent)) messages unsent, \(Figures.count(plan.maximumInFlight)) "
        + "already in flight on their connection; the server does not keep up. Lower -R"
    case .latencyDrift(let change):
      "not steady: rtt p50 \(movement(change)) over the window. "
        + "Measure longer (-d), or warm up longer (--warmup)"
    case .throughputDrift(let change):
      "not steady: throughput \(movement(change)) over the window. "
        + "Measure longer (-d), or warm up longer (--warmup)"
    case .files(let used, let limit):
      "\(used) of \(limit) files open; connections may have failed here. Raise it: ulimit -n"
    }
  }

  private var moreClient: String {
    let threads = plan.threads &* 2
    guard let cores, threads > cores else { return "use --threads \(threads)" }
    return "use a second machine: all \(cores) cores have a thread"
  }

  private func sentence(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() }

  private func beside(_ roundTrip: Int64?) -> String {
    roundTrip.map { " beside rtt p50 \(Figures.duration($0))" } ?? ""
  }

  private func movement(_ change: Double) -> String {
    (change < 0 ? "fell" : "rose") + " by \(Figures.percent(change.magnitude, decimals: 0))"
  }
}
