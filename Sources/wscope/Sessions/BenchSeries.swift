import Conversation
import LoadTesting
import Terminal

/// Several runs of `bench`: the same one again, or pairs of two.
struct BenchSeries: Sendable {
  /// What the runs of one side do.
  let a: BenchConfiguration
  /// The other side of each pair; nil to repeat `a` alone.
  let b: BenchConfiguration?
  /// Runs, or pairs.
  let count: Int
  /// The file for all results, one a line; nil for none.
  let out: String?
  let isQuiet: Bool
  /// Shared by the runs that have no URL.
  let embedded = EmbeddedServer()

  /// The results, each as one line of JSON.
  private static func line(_ report: LoadReport) -> String {
    var json = JSONWriter(layout: .compact)
    let findings = FindingText(report)
    report.write(to: &json, text: findings.text)
    return json.text + "\n"
  }

  /// One run of the series.
  private struct Step {
    var pair: LoadReport.Pair
    var label: String
  }

  /// A B B A, or B A A B where the seed is odd: neither side always comes first.
  private var steps: [Step] {
    (1...count).flatMap { number -> [Step] in
      guard b != nil else {
        return [Step(pair: .init(number, .a, position: 1), label: "run \(number)/\(count)")]
      }
      let isReversed = (number.isMultiple(of: 2)) != (a.plan.seed % 2 == 1)
      let sides: [LoadReport.Pair.Side] = isReversed ? [.b, .a] : [.a, .b]
      return sides.enumerated().map { position, side in
        Step(
          pair: .init(number, side, position: position + 1),
          label: "run \(2 * number - 1 + position)/\(2 * count) \(side.rawValue)")
      }
    }
  }

  /// Makes all runs.
  ///
  /// - Returns: The results that count, and the status: that of a run that could not be made, of a signal, or
  ///   the worst of the thresholds.
  func run(_ context: CommandContext) async -> (reports: [LoadReport], status: ExitStatus) {
    let signals = BenchSignals()
    let watching = Task { await signals.watch(context) }
    defer { watching.cancel() }
    announce(context)
    var reports: [LoadReport] = []
    var dropped = Set<Int>()
    var status = ExitStatus.ok
    for step in steps where !dropped.contains(step.pair.number) {
      let (report, own) = await measure(step, signals, context)
      // A signal ends the series, and so does a run that could not be opened or lost its connections.
      guard let report, [.ok, .thresholdBroken, .measurementInvalid].contains(own) else {
        let status = keep(reports, own, context)
        let file = out.map { "; their results are in \($0)" } ?? ""
        context.warn(
          "stopped in \(step.label), after \(Figures.count(reports.count)) complete "
            + (reports.count == 1 ? "run" : "runs")
            + (reports.isEmpty ? "" : file))
        return (reports, status)
      }
      if report.verdict.state == .invalid, b != nil {
        context.warn("\(step.label) is invalid again; pair \(step.pair.number) is skipped")
        dropped.insert(step.pair.number)
        reports.removeAll { $0.run.pair?.number == step.pair.number }
        continue
      }
      reports.append(report)
      if status != .thresholdBroken, own != .ok { status = own }
      if !isQuiet { context.inform("\(step.label)  \(Self.figures(report))") }
    }
    if b != nil, 4 * dropped.count > count {
      context.warn("\(dropped.count) of \(count) pairs were invalid: nothing can be compared")
      return (reports, keep(reports, .measurementInvalid, context))
    }
    return (reports, keep(reports, status, context))
  }

  /// One run; in a comparison an invalid one is made once more.
  private func measure(
    _ step: Step, _ signals: BenchSignals, _ context: CommandContext
  ) async -> (LoadReport?, ExitStatus) {
    var configuration = step.pair.side == .b ? b ?? a : a
    // Both sides of a pair have the same schedule.
    configuration.plan.seed = a.plan.seed &+ UInt64(step.pair.number - 1)
    let session = BenchSession(configuration, context, signals: signals, embedded: embedded)
    var (report, status) = await session.measure()
    if b != nil, report?.verdict.state == .invalid, signals.stopped == nil {
      (report, status) = await session.measure()
    }
    if b != nil { report?.run.pair = step.pair }
    return (report, status)
  }

  private func announce(_ context: CommandContext) {
    guard !isQuiet else { return }
    let runs = b == nil ? count : 2 * count
    var each: Int64 = 1_000_000_000 + a.plan.effectiveWarmUp
    if case .duration(let ns) = a.plan.length {
      each += ns
      context.inform(
        "\(Figures.count(runs)) runs, about \(Figures.shortDuration(each * Int64(runs)))")
    } else {
      context.inform("\(Figures.count(runs)) runs")
    }
  }

  /// Writes the results to the file; those of an interrupted series too.
  private func keep(
    _ reports: [LoadReport], _ status: ExitStatus, _ context: CommandContext
  ) -> ExitStatus {
    guard let out else { return status }
    do {
      try FileContents.write(reports.map(Self.line).joined(), to: out, context.console)
    } catch {
      context.warn((error as? CommandFailure)?.message ?? "cannot write \(out): \(error)")
      return status == .ok ? .outputFailed : status
    }
    return status
  }

  private static func figures(_ report: LoadReport) -> String {
    let headline = report.metrics[report.configuration.mode.headline]
    let state = report.verdict.state == .valid ? "" : "  \(report.verdict.state.rawValue)"
    return "p50 \(Figures.percentile(headline?.percentile(.p50)))  "
      + "p99 \(Figures.percentile(headline?.percentile(.p99)))  "
      + "\(Figures.rate(report.rates.answered))/s\(state)"
  }
}
