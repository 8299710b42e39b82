import LoadTesting

/// One format of the report of `bench`.
struct ReportFormatEntry: Sendable, Hashable {
  /// The name by which it is chosen.
  let name: String
  /// What it is for, in one sentence.
  let summary: String
  /// The report as UTF-8 text: a function of nothing else.
  let render: @Sendable (LoadReport) -> String

  static func == (one: Self, other: Self) -> Bool { one.name == other.name }
  func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// The formats that exist. Options, help, completion, manual page and tests read this list.
enum ReportFormats {
  static let text = ReportFormatEntry(
    name: "text", summary: "A page of at most 80 columns for a person.",
    render: { TextReport($0).text })

  static let json = ReportFormatEntry(
    name: "json", summary: "One JSON object with everything that was measured.",
    render: { JSONReport($0).text })

  static let junit = ReportFormatEntry(
    name: "junit",
    summary: "JUnit XML with a test case for each threshold, and one for the verdict.",
    render: { JUnitReport($0).text })

  static let html = ReportFormatEntry(
    name: "html",
    summary: "A page with charts for a browser; bench report reads it, too.",
    render: { HTMLReport($0).text })

  static let md = ReportFormatEntry(
    name: "md",
    summary: "A summary in Markdown, for the page of a CI job; at most 64 KiB.",
    render: { MarkdownSummary($0).text })

  static let csv = ReportFormatEntry(
    name: "csv",
    summary: "Comma-separated values, a row for each interval.",
    render: { IntervalFormat.csv.text($0) })

  static let prometheus = ReportFormatEntry(
    name: "prometheus",
    summary: "The text format of Prometheus, as for a node exporter or a CI server.",
    render: { PrometheusText($0).text })

  static let all = [text, json, junit, html, md, csv, prometheus]
}
