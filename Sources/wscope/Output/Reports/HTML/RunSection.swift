import Conversation
import LoadTesting

/// What measured what: environment, self-check, and the command to repeat the run.
struct RunSection {
  private let report: LoadReport

  init(_ report: LoadReport) { self.report = report }

  var html: HTML {
    """
    <section aria-labelledby="check">
    <h2 id="check">Self-check</h2>
    \(selfCheck)</section>
    <section aria-labelledby="run">
    <h2 id="run">Run and environment</h2>
    \(environment)<h3>Command line</h3>
    <pre><code>\(ReportCommand(report).text)</code></pre>
    </section>

    """
  }

  private var selfCheck: HTML {
    DataTable(
      caption: "Whether the numbers describe the server, or this client",
      columns: ["Check", "Measured", "Suspect", "Invalid", "State"],
      rows: SelfCheckRows(report).all.map {
        [$0.name, $0.measured, $0.suspect, $0.invalid, $0.state]
      },
      textColumns: [4]
    ).html
  }

  private var environment: HTML {
    DataTable(
      caption: "Where and how it was measured", columns: ["Fact", "Value"],
      rows: EnvironmentRows(report).all.map { [$0.name, $0.value] }, textColumns: [1]
    ).html
  }
}
