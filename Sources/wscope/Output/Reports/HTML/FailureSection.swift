import LoadTesting

/// What went wrong, and how connections ended.
struct FailureSection {
  private let report: LoadReport

  init(_ report: LoadReport) { self.report = report }

  var html: HTML {
    """
    <section aria-labelledby="failures">
    <h2 id="failures">Errors and closes</h2>
    \(errors)\(closes)</section>

    """
  }

  private var errors: HTML {
    guard !report.errors.isEmpty else { return "<p>No errors.</p>\n" }
    let rows = report.errors.map { entry in
      [
        "\(entry.phase.rawValue) \(entry.class.name)", Figures.count(entry.count),
        Figures.count(entry.inWindow), Figures.seconds(entry.first),
        entry.code.map(String.init) ?? "", entry.sample ?? "",
      ]
    }
    return DataTable(
      caption: "Errors, by phase and class",
      columns: ["Error", "Count", "In the window", "First at", "Code", "First one"], rows: rows,
      textColumns: [5]
    ).html
  }

  private var closes: HTML {
    guard !report.closes.isEmpty else { return "<p>No connection was closed.</p>\n" }
    let rows = report.closes.map { entry in
      [
        "\(entry.code)",
        CloseNames.name(of: entry.code, subprotocol: report.target.subprotocol) ?? "",
        entry.by.rawValue, Figures.count(entry.count),
      ]
    }
    return DataTable(
      caption: "Ends of connections, by close code and the side that closed first",
      columns: ["Code", "Meaning", "Side", "Count"], rows: rows, textColumns: [1, 2]
    ).html
  }
}
