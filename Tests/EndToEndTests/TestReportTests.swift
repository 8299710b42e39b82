import Foundation
import FoundationXML
import TestPeers
import Testing

@testable import wscope

/// TAP and JUnit: what machines read.
@Suite(.blocking) struct TestReportTests {
  private static let report = TestReport(
    name: "a & b", started: 1_764_000_000_123_000_000, seconds: 1.5, host: "",
    cases: [
      .init(name: "\"<x>\" # 1", seconds: 0.0414),
      .init(name: "it's\\", seconds: 0.5, failure: "]]> & 'quotes' \u{1B}\u{FFFF}"),
    ])

  @Test func tapEscapesWhatWouldMeanSomething() {
    #expect(
      Self.report.tap == """
        TAP version 13
        1..2
        ok 1 - "<x>" \\# 1
        not ok 2 - it's\\\\
          ---
          got: ']]> & ''quotes'' \u{1B}\u{FFFF}'
          ...

        """)
  }

  @Test func junitIsReadBackAsItWasMeant() throws {
    let suite = try JUnit.read(Self.report.junit)
    #expect(
      suite.attributes == [
        "name": "a & b", "timestamp": "2025-11-24T16:00:00", "hostname": "localhost", "tests": "2",
        "failures": "1", "errors": "0", "time": "1.500",
      ])
    #expect(suite.cases.map { $0["name"] } == ["\"<x>\" # 1", "it's\\"])
    #expect(suite.cases.map { $0["time"] } == ["0.041", "0.500"])
    #expect(
      suite.failures == [
        nil,
        .init(
          message: "got: ]]> & 'quotes' \u{FFFD}\u{FFFD}",
          text: "expected: it's\\\ngot: ]]> & 'quotes' \u{FFFD}\u{FFFD}"),
      ])
  }

  @Test func tapOfARun() throws {
    let listener = try Listener()
    let finished = try Wscope.run([
      "send", listener.url, "hello", #"{"op":"error's","code":7}"#, "--expect", "hello",
      "--expect-json", ".op == \"pong\"", "--within", "300ms", "--tap-output",
    ])
    #expect(finished.exitCode == 1)
    let lines = finished.outputText.split(separator: "\n").map(String.init)
    try #require(lines.count == 8, "\(finished.outputText)")
    #expect(lines[0] == "TAP version 13")
    #expect(lines[1] == "1..3")
    #expect(lines[2] == "ok 1 - the connection opens")
    #expect(lines[3] == "ok 2 - \"hello\" within 300 ms")
    #expect(
      lines[4...] == [
        "not ok 3 - .op == \"pong\" within 300 ms", "  ---",
        "  got: '\"{\"op\":\"error''s\",\"code\":7}\"'", "  ...",
      ])
    #expect(finished.errorText.isEmpty)
  }

  /// Reports of two runs are compared by the names of their tests: nothing in them is measured.
  @Test func theNamesOfTestsAreStable() throws {
    let listener = try Listener()
    let path = try Wscope.scratch("junit") + "/stable.xml"
    let script = try Wscope.scratch("junit") + "/stable.wscope"
    try FileContents.write("> a\n< a\nping\nexpect-none 20ms\n", to: script)
    for arguments in [
      ["a", "--expect", "a", "--within", "5s", "--max-rtt", "5s", "--expect-none", "20ms"],
      ["a", "--expect", "b", "--expect-count", "1", "--linger", "50ms", "--repeat", "2"],
      ["--script", script],
    ] {
      var names: [[String?]] = []
      var texts: [String] = []
      for _ in 0..<2 {
        let finished = try Wscope.run(
          ["send", listener.url, "--junit", path, "--tap-output"] + arguments)
        texts.append(finished.outputText)
        let suite = try JUnit.read(String(decoding: try FileContents.read(path), as: UTF8.self))
        names.append(suite.cases.map { $0["name"] })
      }
      #expect(names[0] == names[1])
      #expect(texts[0] == texts[1])
    }
  }

  @Test func junitOfRuns() throws {
    let listener = try Listener()
    let path = try Wscope.scratch("junit") + "/out.xml"
    let url = listener.url + "?token=secret&a=1"
    let met = try Wscope.run(["send", url, "<&\">", "--expect", "<&\">", "--junit", path])
    #expect(met.exitCode == 0)
    #expect(met.outputText == "<&\">\n")
    var suite = try JUnit.read(String(decoding: try FileContents.read(path), as: UTF8.self))
    #expect(suite.attributes["name"] == "wscope send \(listener.url)?token=***&a=1")
    #expect(suite.attributes["failures"] == "0")
    #expect(suite.cases.last?["name"] == "\"<&\">\"")
    #expect(suite.failures == [nil, nil])

    // The file is replaced as a whole, and a failure is in it.
    let unmet = try Wscope.run([
      "send", url, "<&\">", "--expect", "x", "--linger", "100ms", "--junit", path,
    ])
    #expect(unmet.exitCode == 1)
    suite = try JUnit.read(String(decoding: try FileContents.read(path), as: UTF8.self))
    #expect(suite.attributes["failures"] == "1")
    #expect(suite.failures.last??.message == "got: \"<&\">\"")
  }

  /// A run that fails is red in its report, for whatever reason it does.
  @Test func noReportOfAFailedRunIsGreen() throws {
    let path = try Wscope.scratch("junit") + "/red.xml"
    let refused = try Wscope.run(["send", "ws://127.0.0.1:1/", "x", "--junit", path])
    #expect(refused.exitCode == 7)
    var suite = try JUnit.read(String(decoding: try FileContents.read(path), as: UTF8.self))
    #expect(suite.cases.map { $0["name"] } == ["the connection opens"])
    #expect(suite.failures[0]?.message.contains("cannot connect to 127.0.0.1:1") == true)

    let losing = try RawPeer([.readRequest, .accept, .wait(milliseconds: 50)])
    defer { losing.stop() }
    let lost = try Wscope.run(["send", losing.url, "x", "--tap-output", "--junit", path])
    #expect(lost.exitCode == 56)
    #expect(lost.outputText.contains("not ok 2 - the connection ends normally"))
    suite = try JUnit.read(String(decoding: try FileContents.read(path), as: UTF8.self))
    #expect(suite.attributes["failures"] == "1")

    let silent = try RawPeer([
      .readRequest, .accept, .read(7 + 8), .frame(opcode: 8, [3, 0xE8]), .readToEnd,
    ])
    defer { silent.stop() }
    let timedOut = try Wscope.run(["send", silent.url, "x", "--wait", "200ms", "--junit", path])
    #expect(timedOut.exitCode == 28)
    suite = try JUnit.read(String(decoding: try FileContents.read(path), as: UTF8.self))
    #expect(suite.failures.last??.message.contains("no reply within 200 ms") == true)
  }

  @Test func aReportThatCannotBeWritten() throws {
    let listener = try Listener()
    let nowhere = try Wscope.run([
      "send", listener.url, "x", "--expect", "x", "--junit", "/nonexistent/out.xml",
    ])
    #expect(nowhere.exitCode == 23)
    #expect(
      nowhere.errorText.contains("cannot write /nonexistent/out.xml: No such file or directory"))
    let full = try Wscope.shell(
      "wscope send \(listener.url) x --expect x --tap-output > /dev/full; echo $?")
    #expect(full.outputText == "23\n")
    #expect(full.errorText.contains("cannot write standard output: No space left on device"))
  }
}

/// Reads JUnit XML, and holds it to what the schema of Ant asks for (JUnit.xsd: names, order and
/// attributes of the elements; numbers and time where they are meant).
final class JUnit: NSObject, XMLParserDelegate {
  struct Suite {
    var attributes: [String: String] = [:]
    var cases: [[String: String]] = []
    /// One for each case.
    var failures: [Failure?] = []
    /// Cases that could not be decided, by their names.
    var errors: [String: String] = [:]
    var properties: [String: String] = [:]
  }

  struct Failure: Equatable {
    var message: String
    var text: String
  }

  private static let required: [String: Set<String>] = [
    "testsuite": ["name", "timestamp", "hostname", "tests", "failures", "errors", "time"],
    "properties": [], "testcase": ["name", "classname", "time"], "failure": ["message", "type"],
    "error": ["message", "type"], "property": ["name", "value"], "system-out": [], "system-err": [],
  ]

  private var suite = Suite()
  private var open: [String] = []
  private var children: [String] = []
  private var problem: String?

  static func read(_ text: String) throws -> Suite {
    let reader = JUnit()
    let parser = XMLParser(data: .init(text.utf8))
    parser.delegate = reader
    guard parser.parse(), reader.problem == nil else {
      throw TestPeerError(
        "\(reader.problem ?? "\(String(describing: parser.parserError))"): \(text)")
    }
    let order = reader.children.filter { $0 != "testcase" }
    guard order == ["properties", "system-out", "system-err"], reader.children.first == order[0],
      reader.children.suffix(2) == ["system-out", "system-err"]
    else { throw TestPeerError("elements in another order: \(reader.children)") }
    return reader.suite
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String] = [:]
  ) {
    let parents = [
      "testsuite": [], "testcase": ["testsuite"], "failure": ["testsuite", "testcase"],
      "error": ["testsuite", "testcase"], "property": ["testsuite", "properties"],
    ]
    if Self.required[name] != Set(attributes.keys) {
      problem = "attributes of \(name): \(attributes)"
    }
    if open != parents[name, default: ["testsuite"]] { problem = "\(name) in \(open)" }
    for number in ["tests", "failures", "errors"] where attributes[number] != nil {
      if attributes[number].flatMap({ UInt($0) }) == nil { problem = "\(number) is no number" }
    }
    if let time = attributes["time"], Double(time) == nil { problem = "time is no number" }
    if let stamp = attributes["timestamp"],
      stamp.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/) == nil
    {
      problem = "timestamp"
    }
    if open.count == 1 { children.append(name) }
    open.append(name)
    switch name {
    case "testsuite": suite.attributes = attributes
    case "testcase":
      suite.cases.append(attributes)
      suite.failures.append(nil)
    case "failure":
      suite.failures[suite.failures.count - 1] = Failure(
        message: attributes["message"] ?? "", text: "")
    case "error":
      suite.errors[suite.cases.last?["name"] ?? ""] = attributes["message"]
    case "property": suite.properties[attributes["name"] ?? ""] = attributes["value"]
    default: break
    }
  }

  func parser(_ parser: XMLParser, foundCharacters text: String) {
    guard open.last == "failure" else { return }
    suite.failures[suite.failures.count - 1]?.text += text
  }

  func parser(
    _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
  ) {
    open.removeLast()
  }
}
