import Conversation

/// The results of a run's expectations in machine-readable form: TAP and JUnit.
struct TestReport {
  struct Case: Equatable {
    /// The name, on one line.
    var name: String
    /// Seconds from the start until the case was decided.
    var seconds: Double
    /// What is wrong; nil if the case passed.
    var problem: Problem?

    init(name: String, seconds: Double, problem: Problem?) {
      self.name = name
      self.seconds = seconds
      self.problem = problem
    }

    /// A case of an expectation.
    ///
    /// - Parameters:
    ///   - name: Its name, which stays the same between runs.
    ///   - seconds: How long it took.
    ///   - failure: What came instead; nil if it was met.
    init(name: String, seconds: Double, failure: String? = nil) {
      self.init(name: name, seconds: seconds, problem: failure.map(Problem.unmet))
    }
  }

  /// Why a case did not pass.
  enum Problem: Equatable {
    /// An expectation was not met: what came instead.
    case unmet(String)
    /// A limit is broken: value, limit and distance.
    case broken(String)
    /// The measurement cannot decide the case: why.
    case undecided(String)

    var text: String {
      switch self {
      case .unmet(let text), .broken(let text), .undecided(let text): text
      }
    }
  }

  var name: String
  /// In ns since 1970.
  var started: Int64
  var seconds: Double
  var host: String
  var cases: [Case]
  /// The class of the cases in JUnit.
  var classname = "wscope.send"
  /// Further facts for JUnit.
  var properties: [(name: String, value: String)] = []

  private var errors: Int {
    cases.count { if case .undecided? = $0.problem { true } else { false } }
  }
  private var failures: Int { cases.count { $0.problem != nil } - errors }

  /// Test Anything Protocol, version 13: failures are described in a YAML block.
  var tap: String {
    var lines = ["TAP version 13", "1..\(cases.count)"]
    for (index, test) in cases.enumerated() {
      // A number sign would begin a directive.
      let name = test.name.replacing("\\", with: "\\\\").replacing("#", with: "\\#")
      lines.append("\(test.problem == nil ? "ok" : "not ok") \(index + 1) - \(name)")
      if let failure = test.problem?.text {
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
      ("failures", "\(failures)"), ("errors", "\(errors)"), ("time", Self.time(seconds)),
    ]
    var lines = ["<testsuite\(Self.attributes(suite))>"] + facts
    for test in cases {
      let attributes = Self.attributes([
        ("name", test.name), ("classname", classname), ("time", Self.time(test.seconds)),
      ])
      guard let problem = test.problem else {
        lines.append("  <testcase\(attributes)/>")
        continue
      }
      lines += [
        "  <testcase\(attributes)>", "    " + Self.element(problem, of: test.name), "  </testcase>",
      ]
    }
    lines += ["  <system-out/>", "  <system-err/>", "</testsuite>"]
    return lines
  }

  private var facts: [String] {
    guard !properties.isEmpty else { return ["  <properties/>"] }
    return ["  <properties>"]
      + properties.map {
        "    <property\(Self.attributes([("name", $0.name), ("value", $0.value)]))/>"
      } + ["  </properties>"]
  }

  /// A case that fails is a `failure`, one that could not be decided an `error`.
  private static func element(_ problem: Problem, of name: String) -> String {
    let (element, type, message, text) =
      switch problem {
      case .unmet(let got):
        ("failure", "expectation", "got: \(got)", "expected: \(name)\ngot: \(got)")
      case .broken(let text): ("failure", "threshold", text, text)
      case .undecided(let text): ("error", "undecided", text, text)
      }
    let attributes = attributes([("message", message), ("type", type)])
    return "<\(element)\(attributes)>\(escaped(text))</\(element)>"
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
