import Conversation
import LoadTesting

/// A comparison for a program, schema `bench-compare/1`: durations in nanoseconds, rates per second, shares
/// from 0 to 1; `null` where something is not known.
struct ComparisonJSON {
  private let comparison: Comparison
  private let groups: ComparedGroups

  init(_ comparison: Comparison, _ groups: ComparedGroups) {
    self.comparison = comparison
    self.groups = groups
  }

  var text: String {
    var json = JSONWriter(layout: .lines)
    json.object { json in
      json.member("schema", "bench-compare/1")
      json.member("paired", comparison.isPaired)
      json.member("noise", comparison.noise)
      json.member("a", object: { write(groups.a, &$0) })
      json.member("b", object: { write(groups.b, &$0) })
      json.member("differences", array: groups.differences) { $0.string($1) }
      json.member("metrics", array: comparison.rows) { json, row in
        json.object { write(row, &$0) }
      }
    }
    json.startLine()
    return json.text
  }

  private func write(_ runs: [LoadReport], _ json: inout JSONWriter) {
    json.member("runs", array: runs) { json, run in
      json.object { json in
        json.member("id", run.run.id)
        json.member("url", run.target.url)
        json.member("verdict", run.verdict.state.rawValue)
      }
    }
  }

  private func write(_ row: Comparison.Row, _ json: inout JSONWriter) {
    func values(_ name: String, _ values: [Double?], _ json: inout JSONWriter) {
      json.member(name, array: values) { json, value in
        if let value, value.isFinite { json.double(value) } else { json.null() }
      }
    }
    json.member("name", row.name)
    json.member("unit", unit(row.unit))
    values("a", row.a, &json)
    values("b", row.b, &json)
    json.member("censored", row.isCensored)
    json.member("ratio", row.ratio)
    json.member("low", row.interval?.lowerBound)
    json.member("high", row.interval?.upperBound)
    json.member("p", row.p)
    json.member("word", word(row.word))
    if case .unknown(let resolution, let runs) = row.word {
      json.member("resolution", resolution)
      json.member("runs_needed", runs)
    }
  }

  private func unit(_ unit: Threshold.Unit) -> String {
    switch unit {
    case .duration: "ns"
    case .share: "share"
    case .perSecond: "1/s"
    case .count: "count"
    }
  }

  private func word(_ word: Comparison.Word) -> String {
    switch word {
    case .worse: "worse"
    case .better: "better"
    case .equal: "equal"
    case .unknown: "unknown"
    case .tooFew: "too_few_runs"
    case .untested: "not_tested"
    }
  }
}
