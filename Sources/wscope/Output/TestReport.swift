import Conversation

/// The results of a run's expectations in machine-readable form: TAP and JUnit.
struct TestReport {
  struct Case: Equatable {
    /// The name, on one line.
    var name: String
    /// Seconds from the start until the case was decided.
    var seconds: Double
    /// What went wrong; nil if the case passed.
    var failure: String?
  }

  var name: String
  /// In ns since 1970.
  var started: Int64
  var seconds: Double
  var host: String
  var cases: [Case]
  /// The class of the cases in JUnit.
  var classname = "wscope.send"

  private var failures: Int { cases.count { $0.failure != nil } }

  /// Test Anything Protocol, version 13: failures are described in a YAML block.
  var tap: String {
    var lines = ["TAP version 13", "1..\(cases.count)"]
    for (index, test) in cases.enumerated() {
      // A number sign would begin a directive.
      let name = test.name.replacing("\\", with: "\\\\").replacing("#", with: "\\#")
      lines.append("\(test.failure == nil ? "ok" : "not ok") \(index + 1) - \(name)")
      if let failure = test.failure {
        // In single quotes, YAML has only one special character.
        let quoted = failure.replacing("'", with: "''")
        lines += ["  ---", "  got: '\(quoted)'", "  ..."]
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static let xmlHead = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"

  /// JUnit XML, with all elements that the Ant schema requires and none that it does not define.
  var junit: String { Self.xmlHead + "\n" + suite.joined(separator: "\n") + "\n" }

  /// JUnit XML of several suites.
  static func junit(_ suites: [TestReport]) -> String {
    ([xmlHead, "<testsuites>"] + suites.flatMap { $0.suite.map { "  " + $0 } } + ["</testsuites>"])
      .joined(separator: "\n") + "\n"
  }

  private var suite: [String] {
    let suite = [
      ("name", name), ("timestamp", String(UTCTime(started).text.prefix(19))),
      ("hostname", host.isEmpty ? "localhost" : host), ("tests", "\(cases.count)"),
      ("failures", "\(failures)"), ("errors", "0"), ("time", Self.time(seconds)),
    ]
    var lines = ["<testsuite\(Self.attributes(suite))>", "  <properties/>"]
    for test in cases {
      let attributes = Self.attributes([
        ("name", test.name), ("classname", classname), ("time", Self.time(test.seconds)),
      ])
      guard let failure = test.failure else {
        lines.append("  <testcase\(attributes)/>")
        continue
      }
      let message = Self.attributes([("message", "got: \(failure)"), ("type", "expectation")])
      lines += [
        "  <testcase\(attributes)>",
        "    <failure\(message)>\(Self.escaped("expected: \(test.name)\ngot: \(failure)"))</failure>",
        "  </testcase>",
      ]
    }
    lines += ["  <system-out/>", "  <system-err/>", "</testsuite>"]
    return lines
  }

  private static func time(_ seconds: Double) -> String {
    Figures.decimal(max(seconds, 0), decimals: 3)
  }

  private static func attributes(_ pairs: [(String, String)]) -> String {
    pairs.map { " \($0)=\"\(escaped($1))\"" }.joined()
  }

  private static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "\n": escaped += "&#10;"
      // XML 1.0 cannot represent these characters (section 2.2).
      case "\0"..."\u{1F}", "\u{FFFE}", "\u{FFFF}": escaped.unicodeScalars.append("\u{FFFD}")
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
