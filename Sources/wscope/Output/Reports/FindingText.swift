import LoadTesting

/// The words for what is wrong with a measurement: name, number, remedy.
struct FindingText {
  private let report: LoadReport

  init(_ report: LoadReport) { self.report = report }

  private var plan: LoadReport.Configuration { report.configuration }

  /// One sentence for a finding, without its state.
  func text(_ finding: Verdict.Finding) -> String {
    switch finding {
    case .accounting(let difference):
      "accounting off by \(Figures.count(difference)) messages: sent is not answered + unanswered "
        + "+ failed + in flight; do not use these numbers, and report this as a bug in wscope"
    case .contradiction(let sums):
      "\(Figures.count(sums)) sums of this report do not agree; do not use these numbers, and report "
        + "this as a bug in wscope"
    case .nothingMeasured: "nothing was measured: " + nothing
    case .belowTarget(let share, let missing, let dropped):
      "target reached \(Figures.percent((share * 1000).rounded(.down) / 1000, decimals: 1))"
        + (missing > dropped
          ? ": \(Figures.count(missing)) messages were due on connections that were lost or never opened"
          : ": this client did not keep the rate. Lower -R, or \(moreClient)")
    case .fewerConnections(let share):
      "connections were open for \(Figures.percent(share, decimals: 1)) of the planned time; the "
        + "throughput is that of fewer connections"
    case .cutShort: cutShort
    case .matching(let replies):
      "\(Figures.count(replies)) replies cannot be matched to messages in order: the server pushes, "
        + "answers twice, or loses messages, and round trips are wrong. " + otherMatching
    case .noAnswers: "no message was answered: does the server echo?"
    case .unanswered(let count, let sent):
      "\(Figures.count(count)) of \(Figures.count(sent)) messages were not answered; percentiles rank "
        + "them by their waiting time"
    case .backlog(let answered):
      "sent \(Figures.percent(sentShare, decimals: 0)), answered "
        + "\(Figures.percent(answered, decimals: 0)) in the window: the server does not keep up. Lower -R"
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
    case .throttled(let count, let periods):
      "throttled in \(Figures.count(count)) of \(Figures.count(periods)) periods: the container's CPU "
        + "limit\(limit). Raise it, or use fewer connections or a lower -R"
    case .overloaded(let unsent):
      "overloaded: \(Figures.count(unsent)) messages unsent, \(Figures.count(plan.maxInFlight)) "
        + "already in flight on their connection; the server does not keep up. Lower -R"
    case .latencyDrift(let change):
      "not steady: rtt p50 \(movement(change)) over the window. "
        + "Measure longer (-d), or warm up longer (--warmup)"
    case .throughputDrift(let change):
      "not steady: throughput \(movement(change)) over the window. "
        + "Measure longer (-d), or warm up longer (--warmup)"
    case .files(let used, let limit):
      "\(used) of \(limit) files open; connections may have failed here. Raise it: ulimit -n"
    case .missingShards(let count, let whole):
      "\(Figures.count(whole - count)) of \(Figures.count(whole)) shards; missing "
        + "\(MergeText.list(report.missingShards)): counts and rates are too low"
    case .windowsApart(let overlap):
      "the windows of the shards overlap by only \(Figures.percent(overlap, decimals: 0)). Use "
        + "--start-at, and synchronize the clocks"
    case .slowShard(let measured, let planned):
      "a shard measured for \(Figures.seconds(measured)) instead of \(Figures.seconds(planned)): its "
        + "machine did not keep up"
    case .sameCeiling(let shards, let opened):
      "\(Figures.count(shards)) shards opened exactly \(Figures.count(opened)) connections each, fewer than "
        + "asked: probably a limit of the load generators, not of the server"
    case .oneShard(let index, let p99, let median):
      "shard \(index)\(host(index)) has a p99 of \(Figures.duration(p99)), the median of the shards is "
        + "\(Figures.duration(median)): check its machine first"
    }
  }

  /// Why nothing was measured.
  private var nothing: String {
    let connections = report.connections
    if let window = report.phase(.measure) {
      if report.messages.missing > 0 { return "no connection was left to send on" }
      return
        "no message was due in \(Figures.seconds(window.duration)). Measure longer (-d), or raise -R"
    }
    if report.phase(.warmUp) != nil { return "the run ended in its warm-up" }
    return "\(Figures.count(connections.opened)) of \(Figures.count(connections.asked)) "
      + "connections opened"
  }

  private var cutShort: String {
    guard let cut = report.cutShort else { return "cut short" }
    let cause =
      switch cut.cause {
      case .interrupted: "interrupted"
      case .allLost: "all connections were lost"
      case .aborted: "a threshold was broken"
      }
    let measured = Figures.seconds(cut.measured) + " measured"
    switch plan.length {
    case .duration(let planned): return "\(measured) of \(Figures.shortDuration(planned)): \(cause)"
    case .messages(let planned):
      let sent = "\(Figures.count(report.messages.sent)) messages sent of \(Figures.count(planned))"
      return "\(measured), \(sent): \(cause)"
    }
  }

  private var otherMatching: String {
    if plan.content == .fixed { return "Use --match seq, without --message" }
    return plan.payloadSize < MessageID.length
      ? "Use --match seq, with --size \(MessageID.length)" : "Use --match seq"
  }

  private var sentShare: Double {
    Double(report.messages.sent) / Double(max(1, report.planned))
  }

  private var limit: String {
    report.host.cpuQuota.map { " of \(Figures.rate($0)) cores" } ?? ""
  }

  private var moreClient: String {
    let threads = plan.threads &* 2
    // More threads do not help where the process may not use more CPU.
    if let quota = report.host.cpuQuota, quota < Double(threads) {
      return "raise the container's CPU limit\(limit)"
    }
    guard let cores = report.host.cores, threads > cores else { return "use --threads \(threads)" }
    return "use a second machine: all \(cores) cores have a thread"
  }

  private func host(_ index: Int) -> String {
    report.shards.first { $0.shard.index == index }?.host.map { " (\($0))" } ?? ""
  }

  private func sentence(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() }

  private func beside(_ roundTrip: Int64?) -> String {
    roundTrip.map { " beside rtt p50 \(Figures.duration($0))" } ?? ""
  }

  private func movement(_ change: Double) -> String {
    (change < 0 ? "fell" : "rose") + " by \(Figures.percent(change.magnitude, decimals: 0))"
  }
}
