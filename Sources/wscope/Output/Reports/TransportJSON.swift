import Conversation
import LoadTesting

/// A comparison of transports for a program, schema `bench-transports/1`.
struct TransportJSON {
  private let report: TransportReport

  init(_ report: TransportReport) { self.report = report }

  var text: String {
    var json = JSONWriter(layout: .lines)
    report.write(to: &json)
    json.startLine()
    return json.text
  }
}
