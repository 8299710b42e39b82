import LoadTesting

/// The result for the summary page of a CI job, as GitHub shows `$GITHUB_STEP_SUMMARY`.
struct MarkdownSummary {
  /// A job may add several summaries, and GitHub takes 1 MiB of a step.
  private static let limit = 64 * 1024

  private let report: LoadReport

  init(_ report: LoadReport) { self.report = report }

  var text: String {
    let tail = [
      "", "*Cut at 64 KiB; `--out` and `--html` keep everything.*", "", "</details>", "",
    ]
    let reserve = tail.reduce(0) { $0 + $1.utf8.count + 1 }
    var text = ""
    for line in lines {
      // The first lines, which are never that long, come before the details.
      if text.utf8.count + line.utf8.count + 1 + reserve > Self.limit {
        return text + tail.map { $0 + "\n" }.joined()
      }
      text += line + "\n"
    }
    return text
  }

  private var lines: [String] {
    head + thresholds + numbers
      + ["<details><summary>Percentiles, errors, self-check and environment</summary>", ""]
      + percentiles + shards + errors + closes + selfCheck + environment + ["</details>", ""]
  }

  private var head: [String] {
    let state = report.verdict.state
    let sign =
      state == .valid && !report.isChecked
      ? "?" : [Verdict.State.valid: "✓", .suspect: "!", .invalid: "✗"][state] ?? ""
    let findings = FindingText(report)
    let reasons = report.verdict.reasons.map {
      "- **\($0.state.rawValue)**: \(Markdown.escaped(findings.text($0.finding)))"
    }
    return [
      "### \(sign) \(report.verdictText): wscope bench "
        + Markdown.escaped(report.target.url), "",
      Markdown.escaped(ReportSentence(report).text), "",
    ] + (ThresholdSummary(report).map { ["**\(Markdown.escaped($0.text))**", ""] } ?? [])
      + (reasons.isEmpty ? [] : reasons + [""])
  }

  private var thresholds: [String] {
    guard !report.thresholds.isEmpty else { return [] }
    let rows = report.outcomes.map { outcome in
      let text = ThresholdText(outcome)
      return [
        "\(text.mark) \(outcome.state.rawValue)", Markdown.code(outcome.threshold.text),
        text.measured, text.limit, text.comment,
      ]
    }
    return Markdown.table(
      ["State", "Threshold", "Measured", "Limit", "Margin"], rows, numbers: [2, 3])
  }

  private var numbers: [String] {
    let all = KeyNumbers(report).all
    return Markdown.table(all.map(\.name), [all.map(\.value)], numbers: Set(all.indices))
  }

  private var percentiles: [String] {
    let metrics = report.configuration.mode.metrics.filter { metric in
      report.metrics[metric].map { $0.count + $0.censored > 0 } ?? false
    }
    guard let first = metrics.lazy.compactMap({ report.metrics[$0] }).first else { return [] }
    let levels = first.percentiles.map(\.level)
    let rows = metrics.map { metric -> [String] in
      let summary = report.metrics[metric]
      return [metric.key]
        + levels.map { level in
          let percentile = summary?[level]
          return percentile?.bound == nil ? Figures.none : Figures.percentile(percentile)
        } + [Figures.percentile(summary?.largest), metric.label]
    }
    return Markdown.table(
      ["Metric"] + levels.map { "p\($0.text)" } + ["max", ""], rows,
      numbers: Set(1...(levels.count + 1)))
  }

  private var shards: [String] {
    guard !report.shards.isEmpty else { return [] }
    return Markdown.table(
      ShardTable.columns, ShardTable(report).rows.map { $0.map(Markdown.escaped) },
      numbers: Set(ShardTable.columns.indices).subtracting(ShardTable.textColumns + [0]))
  }

  private var errors: [String] {
    guard !report.errors.isEmpty else { return ["No errors.", ""] }
    let rows = report.errors.map { entry in
      [
        "\(entry.phase.rawValue) \(entry.class.name)", Figures.count(entry.count),
        Figures.seconds(entry.first), Markdown.escaped(entry.sample ?? ""),
      ]
    }
    return Markdown.table(["Error", "Count", "First at", "First one"], rows, numbers: [1, 2])
  }

  private var closes: [String] {
    guard !report.closes.isEmpty else { return [] }
    let rows = report.closes.map { entry in
      let name = CloseNames.name(of: entry.code, subprotocol: report.target.subprotocol)
      return ["\(entry.code)", name ?? "", entry.by.rawValue, Figures.count(entry.count)]
    }
    return Markdown.table(["Close code", "Meaning", "Side", "Count"], rows, numbers: [3])
  }

  private var selfCheck: [String] {
    let rows = SelfCheckRows(report).all.map {
      [$0.name, $0.measured, $0.suspect, $0.invalid, $0.state].map(Markdown.escaped)
    }
    return Markdown.table(["Check", "Measured", "Suspect", "Invalid", "State"], rows, numbers: [1])
  }

  private var environment: [String] {
    let rows = EnvironmentRows(report).all.map { [$0.name, Markdown.escaped($0.value)] }
    return Markdown.table(["Fact", "Value"], rows, numbers: [])
      + [Markdown.code(ReportCommand(report).text), ""]
  }
}
