import LoadTesting

/// The head of the page: the verdict, the result in a sentence, the thresholds, and the key numbers.
struct SummarySection {
  private let report: LoadReport

  init(_ report: LoadReport) { self.report = report }

  var html: HTML {
    """
    <header>
    <p class="kind">wscope bench</p>
    <h1>\(report.target.url)</h1>
    <p>\(ReportHead(report).setup)</p>
    </header>
    <section class="verdict \(report.isChecked ? report.verdict.state.rawValue : "suspect")" aria-labelledby="verdict">
    <h2 id="verdict">\(sign) \(report.verdictText)\(kept)</h2>
    <p class="sentence">\(ReportLayout.unbroken(ReportSentence(report).text))</p>
    \(reasons)<p class="facts">\(facts)</p>
    </section>
    \(thresholds)<section aria-labelledby="numbers">
    <h2 id="numbers">Key numbers</h2>
    \(tiles)</section>

    """
  }

  private var facts: String {
    let head = ReportHead(report)
    return (head.facts + [head.caveat].compactMap(\.self)).joined(separator: ", ")
  }

  /// A shape for each verdict: nobody needs to see its colour.
  private var sign: HTML {
    switch report.verdict.state {
    case .valid where !report.isChecked: ""
    case .valid:
      """
      <svg aria-hidden="true" width="26" height="26"><circle cx="13" cy="13" r="13" fill="#007a5a"/>\
      <path d="M7 13.5l4.2 4.2L19 9.5" fill="none" stroke="#fff" stroke-width="2.6"/></svg>
      """
    case .suspect:
      """
      <svg aria-hidden="true" width="28" height="26"><path d="M14 0L28 26H0z" fill="#9a5b00"/>\
      <path d="M14 9v8M14 20v2.6" stroke="#fff" stroke-width="2.6"/></svg>
      """
    case .invalid:
      """
      <svg aria-hidden="true" width="26" height="26"><rect width="26" height="26" rx="5" \
      fill="#b3361b"/><path d="M8 8l10 10M18 8L8 18" stroke="#fff" stroke-width="2.6"/></svg>
      """
    }
  }

  /// A valid measurement may show a server that is too slow: both are in the banner.
  private var kept: HTML {
    guard let summary = ThresholdSummary(report) else { return "" }
    return " <span class=\"\(summary.state.rawValue)\">\(summary.text)</span>"
  }

  private var reasons: HTML {
    guard !report.verdict.reasons.isEmpty else { return "" }
    let words = FindingText(report)
    let items = report.verdict.reasons.map { reason -> HTML in
      "<li><b>\(reason.state.rawValue)</b>: \(ReportLayout.unbroken(words.text(reason.finding)))</li>\n"
    }
    return "<ul>\n\(items)</ul>\n"
  }

  private var thresholds: HTML {
    guard !report.thresholds.isEmpty else { return "" }
    let rows = report.outcomes.map { outcome -> HTML in
      let text = ThresholdText(outcome)
      return """
        <tr class="\(outcome.state.rawValue)"><th scope="row" align="left">\(text.mark) \
        \(outcome.state.rawValue)</th><td><code>\(outcome.threshold.text)</code></td>\
        <td align="right">\(text.measured)</td><td align="right">\(text.limit)</td>\
        <td>\(text.comment)</td></tr>

        """
    }
    return """
      <section aria-labelledby="thresholds">
      <h2 id="thresholds">Thresholds</h2>
      <div class="wide"><table border="1" cellspacing="0" cellpadding="4" class="data">
      <caption>What the result must keep</caption>
      <thead><tr><th scope="col" align="left">State</th><th scope="col" align="left">Threshold</th>\
      <th scope="col" align="right">Measured</th><th scope="col" align="right">Limit</th>\
      <th scope="col" align="left">Margin</th></tr></thead>
      <tbody>
      \(rows)</tbody>
      </table></div>
      </section>

      """
  }

  private var tiles: HTML {
    let rows = KeyNumbers(report).all.map { number -> HTML in
      """
      <tr><th scope="row" align="left">\(number.name)</th><td class="value" align="right">\
      \(number.value)</td><td>\(number.note)</td></tr>

      """
    }
    return """
      <table class="tiles" cellpadding="4">
      <caption>The result in numbers</caption>
      <tbody>
      \(rows)</tbody>
      </table>

      """
  }
}
