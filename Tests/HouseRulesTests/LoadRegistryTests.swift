import ArgumentParser
import LoadTesting
import TestPeers
import Testing

@testable import wscope

/// What is chosen by name is in a registry: its names are unique, and help, manual page and completions have
/// them.
@Suite(.blocking) struct LoadRegistryTests {
  /// One entry of a registry.
  struct Entry: Sendable, CustomTestStringConvertible {
    /// The option whose values are the names; nil where no option takes them.
    var option: String?
    var name: String
    var summary: String

    var testDescription: String { "\(option ?? "metric") \(name)" }
  }

  static let entries =
    LoadModes.all.map { Entry(option: "--mode", name: $0.name, summary: $0.summary) }
    + ReportFormats.all.map { Entry(option: "--format", name: $0.name, summary: $0.summary) }
    + Metric.allCases.map { Entry(option: nil, name: $0.key, summary: $0.summary) }

  @Test func namesAreUnique() {
    for option in Set(Self.entries.map(\.option)) {
      let names = Self.entries.filter { $0.option == option }.map(\.name)
      #expect(Set(names).count == names.count)
      #expect(!names.isEmpty)
    }
  }

  @Test(arguments: entries)
  func nameAndSummaryAreWellFormed(_ entry: Entry) {
    let letters = entry.name.allSatisfy { ("a"..."z").contains($0) || $0 == "_" || $0 == "-" }
    #expect(letters && entry.name.first?.isLetter == true, "\(entry.name)")
    #expect(entry.summary.first?.isUppercase == true, "\(entry.summary)")
    #expect(entry.summary.hasSuffix("."), "\(entry.summary)")
    #expect(entry.summary.count <= 100, "\(entry.summary)")
  }

  /// The manual page defines each name and says what it is for, as the code does.
  @Test(arguments: entries)
  func theManualPageHasIt(_ entry: Entry) throws {
    let page = ManualPage(try Repository.text("man/wscope-bench.1"))
    let lines = page.handWritten
    let item = try #require(
      lines.firstIndex {
        $0.hasPrefix(".It") && Roff.read($0).split(separator: " ").contains { $0 == entry.name }
      },
      "no item for \(entry.name)")
    let text = lines[(item + 1)...].prefix { !$0.hasPrefix(".") }.joined(separator: " ")
    #expect(text.hasPrefix(entry.summary), "\(entry.name): \(text)")
  }

  @Test(arguments: entries.filter { $0.option != nil })
  func helpAndCompletionsHaveIt(_ entry: Entry) throws {
    let option = try #require(entry.option)
    let help = try CommandHelp.ofTheBinary()
    let command = try #require(help.command(of: "wscope-bench"))
    let argument = try #require(command.arguments.first { $0.names.contains(option) })
    #expect(argument.values.contains(entry.name))
    for file in ["wscope.bash", "_wscope", "wscope.fish"] {
      #expect(try Repository.text("completions/\(file)").contains(entry.name), "\(file)")
    }
  }

  @Test func metricsAreFoundByTheirNames() {
    for metric in Metric.allCases { #expect(Metric(key: metric.key) == metric) }
    #expect(Metric(key: "rtt_servis") == nil)
  }

  @Test(arguments: LoadModes.all)
  func aModeMeasuresItsHeadline(_ mode: LoadModeEntry) {
    #expect(mode.metrics.contains(mode.headline))
    #expect(Set(mode.metrics).count == mode.metrics.count)
    // Reports keep the order of the metrics.
    #expect(mode.metrics == Metric.allCases.filter(mode.metrics.contains))
    #expect(LoadModes.named(mode.name) == mode)
  }

  @Test(arguments: [
    (["--mode", "eco"], #"unknown mode "eco"; did you mean echo?"#),
    (["--mode", "storm"], #"unknown mode "storm"; known: echo"#),
    (["--format", "jsn"], #"unknown format "jsn"; did you mean json?"#),
    (
      ["--format", "xml"],
      #"unknown format "xml"; known: text, json, junit, html, md, csv, prometheus"#
    ),
  ])
  func anUnknownNameIsAUsageError(_ words: [String], _ message: String) throws {
    let bench = try Bench.parse(words)
    #expect {
      if words[0] == "--mode" {
        _ = try bench.mode.entry()
      } else {
        _ = try bench.report.format.entry()
      }
    } throws: { error in
      (error as? CommandFailure)?.message == message && (error as? CommandFailure)?.status == .usage
    }
  }
}
