import LoadTesting

/// A comparison of transports in Markdown, for the summary of a job.
struct TransportMarkdown {
  private let report: TransportReport

  init(_ report: TransportReport) { self.report = report }

  /// Every line ended by LF.
  var text: String {
    let plan = report.plan
    let head = [
      "### WebSocket against SSE and polling", "",
      "\(Figures.rate(plan.updates)) updates/s of \(TransportPlan.payload) B to "
        + "\(Figures.count(plan.clients)) clients of \(Markdown.code(report.url))", "",
    ]
    let claims = report.claims.map { claim in
      let text = TransportClaimText(claim)
      return [
        "WebSocket is \(Markdown.escaped(text.text))", text.prediction, text.measured,
        Markdown.escaped(text.verdict),
      ]
    }
    let table = Markdown.table(["Claim", "Prediction", "Measured", "Verdict"], claims, numbers: [])
    let sentences = TransportSentences(report).all.flatMap { [Markdown.escaped($0), ""] }
    return (head + table + sentences).map { $0 + "\n" }.joined()
  }
}
