import LoadTesting

/// The report of `bench` as one page: complete without script, style and network, and a function of the result
/// alone.
struct HTMLReport {
  /// Columns of charts over time.
  private static let maxColumns = 300

  private let report: LoadReport

  init(_ report: LoadReport) { self.report = report }

  var text: String { page.text }

  private var page: HTML {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="generator" content="\(report.tool.name) \(report.tool.version)">
    <meta name="description" content="\(ReportSentence(report).text)">
    <title>\(report.verdictText) - \(report.target.url) - wscope bench</title>
    <style>
    \(PageStyle.css)</style>
    </head>
    <body>
    <main>
    \(SummarySection(report).html)\(charts)\(shards)\(FailureSection(report).html)\(RunSection(report).html)\
    <footer><p>Made by \(report.tool.name) \(report.tool.version). This page contains its result: \
    <code>wscope bench report PAGE.html</code> prints it in other formats.</p></footer>
    </main>
    \(EmbeddedResult.element(report))<script>
    \(PageScript.javaScript)</script>
    </body>
    </html>

    """
  }

  private var charts: HTML {
    let columns = TimeColumns(report, limit: Self.maxColumns)
    return section("latency", "Latency", PercentileChart(report)?.html)
      + section("time", "Over time", overTime(columns))
      + section("opening", "Connect", ConnectChart(report)?.html)
  }

  private func overTime(_ columns: TimeColumns) -> HTML? {
    guard !columns.columns.isEmpty else { return nil }
    let heat = HeatMapChart(report, columns)?.html ?? ""
    return heat + TimeStrips(report, columns).html
      + "<p class=\"legend\" id=\"readout\" aria-live=\"off\"></p>\n"
  }

  private var shards: HTML {
    guard !report.shards.isEmpty else { return "" }
    let table = DataTable(
      caption: "Parts of the run", columns: ShardTable.columns, rows: ShardTable(report).rows,
      textColumns: ShardTable.textColumns)
    return section("shards", "Shards", table.html)
  }

  private func section(_ id: String, _ title: String, _ content: HTML?) -> HTML {
    guard let content else { return "" }
    return """
      <section aria-labelledby="\(id)">
      <h2 id="\(id)">\(title)</h2>
      \(content)</section>

      """
  }
}
