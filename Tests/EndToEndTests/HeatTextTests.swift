import LoadTesting
import TestPeers
import Testing

@testable import wscope

/// The heat map of `bench` for a terminal.
@Suite(.blocking) struct HeatTextTests {
  private static func map(_ width: Int, isColored: Bool = false) throws -> [Substring] {
    let map = try #require(HeatText(BenchFixture.ill(), width: width, isColored: isColored))
    return map.text.split(separator: "\n", omittingEmptySubsequences: false)
  }

  @Test(arguments: [1, 40, 80, 200])
  func aMapFitsIntoItsTerminal(_ width: Int) throws {
    let lines = try Self.map(width)
    #expect(lines.count == 1 + 24 + 2 + 1)
    #expect(lines.first == "Heat map of rtt over time")
    for line in lines.dropFirst().prefix(25) { #expect(line.count <= max(29, width), "\(line)") }
    #expect(lines.contains { $0.hasPrefix("    1 ms ") })
  }

  /// The stall of the sixth second is a column of its own, from the bottom to the top.
  @Test func aStallIsTall() throws {
    let plot = try Self.map(9 + 120).dropFirst().prefix(24)
    func cells(_ second: Int) -> Int {
      let x = 9 + (second + 2) * 10 + 5
      return plot.count { line in
        let cells = Array(line)
        return x < cells.count && cells[x] != " "
      }
    }
    #expect(cells(5) > cells(3) + 4)
    let axis = try Self.map(9 + 120).dropLast(2).last ?? ""
    #expect(
      axis.split(separator: " ").filter { $0 != "s" } == ["-2", "0", "2", "4", "6", "8", "10"])
  }

  @Test func coloursAreClosedOnEachLine() throws {
    let lines = try Self.map(80, isColored: true).dropFirst().prefix(24)
    for line in lines {
      #expect(line.hasSuffix("\u{1B}[0m"))
      #expect(line.count { $0 == "▀" } == 71)
    }
  }

  @Test func itFollowsTheTextReport() throws {
    let path = try Wscope.scratch("heat") + "/r.json"
    try FileContents.write(JSONReport(BenchFixture.ill()).text, to: path)
    let plain = try Wscope.run(["bench", "report", path])
    let map = try #require(HeatText(BenchFixture.ill(), width: 80, isColored: false)).text
    let both = try Wscope.run(["bench", "report", path, "--heat"])
    #expect(both.outputText == plain.outputText + "\n" + map)
    let colored = try Wscope.run(["bench", "report", path, "--heat", "--color", "always"])
    #expect(colored.outputText.contains("\u{1B}[38;5;"))
    let refused = try Wscope.run(["bench", "report", path, "--heat", "--format", "json"])
    #expect(refused.exitCode == 2)
    #expect(refused.errorText == "wscope: --heat requires --format text\n")
  }

  @Test func aRunWithoutAnswersHasNone() {
    var report = BenchFixture.open()
    report.intervals = []
    #expect(HeatText(report, width: 80, isColored: false) == nil)
  }
}
