import Conversation
import Glibc
import LoadTesting
import TestPeers
import Testing

@testable import wscope

/// Results of `bench` in files: written, described by a schema, and read again.
@Suite(.serialized, .blocking) struct BenchResultTests {
  private static func file(_ name: String, _ text: String? = nil) throws -> String {
    let path = try Wscope.scratch("bench-result") + "/" + name
    if let text { try FileContents.write(text, to: path) }
    return path
  }

  private static func contents(_ path: String) throws -> String {
    String(decoding: try FileContents.read(path), as: UTF8.self)
  }

  @Test func whatARunPrintedIsPrintedAgain() throws {
    let listener = try Listener()
    let path = try Self.file("run.json")
    let run = try Wscope.run([
      "bench", listener.url + "?token=s3cret", "-c2", "-n2000", "-R5k", "--out", path,
    ])
    #expect(run.exitCode == 0, "\(run.errorText)")
    let again = try Wscope.run(["bench", "report", path])
    #expect(again.exitCode == 0)
    #expect(again.errorText.isEmpty)
    #expect(again.outputText == run.outputText)
    let stored = try Self.contents(path)
    #expect(!stored.contains("s3cret"))
    let json = try Wscope.run(["bench", "report", "-", "--format", "json"], input: stored)
    #expect(json.outputText == stored)
    let problems = SchemaCheck(try JSONValue.parse(LoadReport.schemaDocument))
      .problems(of: try JSONValue.parse(Array(stored.utf8)))
    #expect(problems == [])
  }

  @Test func otherPercentilesComeFromTheHistogram() throws {
    let report = BenchFixture.withHistogram()
    let path = try Self.file("levels.json", JSONReport(report).text)
    let shown = try Wscope.run(
      ["bench", "report", path, "--percentiles", "25,50,96", "--format", "json"])
    let json = try JSONReader.read(shown.outputText)
    let percentiles = json["metrics", "rtt", "percentiles"]
    #expect(percentiles?.names == ["25", "50", "96"])
    let levels = ["25", "50", "96"].compactMap(PercentileLevel.init)
    for (level, expected) in zip(levels, BenchFixture.roundTrips.percentiles(levels)) {
      #expect(percentiles?[level.text, "v"] == .number(Double(expected.bound ?? -1)))
    }
    #expect(percentiles?["96", "censored"] == .boolean(true))
  }

  @Test(arguments: [
    ("", "not JSON"), ("[1]", "not an object"), ("{}", "schema: missing"),
    (#"{"schema":"bench/2"}"#, "schema: not bench/1"),
  ])
  func whatIsNoResultIsRefused(_ text: String, _ words: String) throws {
    let path = try Self.file("no-result.json", text)
    let refused = try Wscope.run(["bench", "report", path])
    #expect(refused.exitCode == 2)
    #expect(refused.errorText.contains("\(path): \(words)"), "\(refused.errorText)")
    #expect(refused.errorText.split(separator: "\n").count == 1)
    #expect(refused.outputText.isEmpty)
  }

  @Test func aMissingFileIsRefused() throws {
    let refused = try Wscope.run(["bench", "report", "/nonexistent/r.json"])
    #expect(refused.exitCode == 2)
    #expect(refused.errorText.contains("cannot read /nonexistent/r.json"))
  }

  /// Nothing is opened: the address would take no connection.
  @Test(arguments: [
    (["--out", "/nonexistent/r.json"], Int32(23), "cannot write /nonexistent/r.json"),
    (["--out", "/"], 23, "cannot write /: "),
    (["--out", "-"], 2, "--out does not write to standard output; use --format json"),
    (["--html", "-"], 2, "--html does not write to standard output; use --format html"),
    (["--html", "/nonexistent/r.html"], 23, "cannot write /nonexistent/r.html"),
  ])
  func aFileThatCannotBeWrittenIsFoundOutBefore(
    _ options: [String], _ exitCode: Int32, _ words: String
  ) throws {
    let refused = try Wscope.run(["bench", "ws://127.0.0.1:9/"] + options)
    #expect(refused.exitCode == exitCode)
    #expect(refused.errorText.contains(words), "\(refused.errorText)")
    #expect(refused.errorText.split(separator: "\n").count == 1)
  }

  @Test func aDiskThatFillsUpIsToldAndTheReportIsPrinted() throws {
    let path = try Self.file("full.json", JSONReport(BenchFixture.open()).text)
    let finished = try Wscope.run(["bench", "report", path, "--out", "/dev/full"])
    #expect(finished.exitCode == 23)
    #expect(finished.errorText.contains("cannot write /dev/full"), "\(finished.errorText)")
    #expect(finished.outputText.contains("1 200 000 sent"))
  }

  // MARK: The schema

  @Test func theSchemaIsPrinted() throws {
    let printed = try Wscope.run(["bench", "--schema"])
    #expect(printed.exitCode == 0)
    #expect(Array(printed.outputText.utf8) == LoadReport.schemaDocument)
  }

  @Test(arguments: ["open", "closed", "shard"])
  func resultsAreValid(_ name: String) throws {
    let report =
      switch name {
      case "open": BenchFixture.open()
      case "closed": BenchFixture.closed()
      default: BenchFixture.open(shard: .init(index: 1, count: 4))
      }
    let schema = SchemaCheck(try JSONValue.parse(LoadReport.schemaDocument))
    let text = JSONReport(report).text
    #expect(schema.problems(of: try JSONValue.parse(Array(text.utf8))) == [])
    for (old, new) in [
      (#""schema":"#, #""scheme":"#), (#""unit":"ns""#, #""unit":"ms""#),
      (#""ended":"completed""#, #""ended":"gone""#), (#""errors":["#, #""errors":7,"others":["#),
      (#""sent":"#, #""more":1,"sent":"#), (#""v":"#, #""w":"#),
    ] {
      let wrong = text.replacing(old, with: new, maxReplacements: 1)
      #expect(wrong != text, "\(old)")
      #expect(schema.problems(of: try JSONValue.parse(Array(wrong.utf8))) != [], "\(new)")
    }
  }

  /// A number without its unit is a riddle.
  @Test func everyMemberOfTheSchemaIsDescribed() throws {
    var seen = 0
    func walk(_ value: JSONValue, _ path: String) {
      guard case .object(let members) = value else { return }
      if let type = value["type"], type == .string("number") || type == .string("integer") {
        seen += 1
        let words = value["description"]?.string ?? ""
        let units = [
          "anosecond", "umber", "econd", "ytes", "hare", "elative", "A port", "Cores", "part",
        ]
        #expect(units.contains { words.contains($0) }, "\(path): \(words)")
      }
      for member in members {
        if member.name == "properties" || member.name == "$defs",
          case .object(let properties) = member.value
        {
          for property in properties {
            let isKnown =
              property.value["description"] != nil || property.value["$ref"] != nil
            #expect(isKnown, "\(path)/\(property.name)")
            walk(property.value, path + "/" + property.name)
          }
        } else {
          walk(member.value, path + "/" + member.name)
        }
      }
    }
    walk(try JSONValue.parse(LoadReport.schemaDocument), "")
    #expect(seen > 60)
  }
}
