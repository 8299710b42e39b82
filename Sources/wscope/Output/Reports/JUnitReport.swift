import Conversation
import LoadTesting

/// The thresholds of a result as JUnit XML: a case for each, and one for the verdict. Names are without measured
/// values, so that a CI server can follow them from run to run.
struct JUnitReport {
  private let report: LoadReport

  init(_ report: LoadReport) {
    self.report = report
  }

  var text: String {
    let seconds = Double(report.phase(.measure)?.duration ?? 0) / 1e9
    let words = FindingText(report)
    let reasons = report.verdict.reasons.filter { $0.state == .invalid }
      .map { words.text($0.finding) }
    let verdict = TestReport.Case(
      name: "verdict", seconds: seconds,
      failure: report.verdict.state == .invalid
        ? "invalid: " + reasons.joined(separator: "; ") : nil)
    let cases = report.outcomes.map { outcome in
      TestReport.Case(
        name: outcome.threshold.text, seconds: seconds,
        failure: outcome.state == .pass
          ? nil
          : (outcome.state == .undecided ? "undecided: " : "") + ThresholdText(outcome).result)
    }
    return TestReport(
      name: "wscope bench", started: report.run.started, seconds: seconds,
      host: ExpectationReporter.host, cases: cases + [verdict], classname: "wscope.bench"
    ).junit
  }
}
