import Conversation
import LoadTesting

/// The report of `bench` for a program: the stored result, schema `bench/1`.
struct JSONReport {
  private let report: LoadReport

  init(_ report: LoadReport) { self.report = report }

  /// One JSON object and a line feed. That of a shard is on one line: the output of several processes can
  /// then be put together line by line.
  var text: String {
    var json = JSONWriter(layout: report.run.shard == nil ? .lines : .compact)
    let findings = FindingText(report)
    report.write(to: &json, text: findings.text)
    json.startLine()
    return json.text
  }
}
