import Conversation
import NIOCore
import Synchronization
import Terminal
import TestServer
import WebSocketProtocol

/// The scripts and rules of `listen`.
struct ServerScriptConfiguration: Sendable {
  var scripting: Scripting
  /// The name of the script.
  var scriptName: String?
  /// The file of the rules.
  var rulesPath: String?
  /// The rules given individually, which come first.
  var single: [Script.Rule]
  /// Lines printed once at the start.
  var warnings: [String]
  /// The file for JUnit XML.
  var junit: String?
  /// Whether to print TAP on standard output.
  var isTAP: Bool

  /// The behaviour of the server, for the ready line; nil if the mode determines it.
  var behaviour: String? {
    if let scriptName { return "script \(scriptName)" }
    return scripting.passesOn ? nil : "rules"
  }
}

/// Collects the results of the clients' scripts for the reports, and watches the file of the rules.
final class ServerScriptRun: Sendable {
  let configuration: ServerScriptConfiguration
  private let context: CommandContext
  private let suites = Mutex<[TestReport]>([])
  private let hasFailedToWrite = Atomic<Bool>(false)

  init(_ configuration: ServerScriptConfiguration, _ context: CommandContext) {
    (self.configuration, self.context) = (configuration, context)
  }

  /// The ready line about the rules; nil if there are none.
  var rulesLine: String? {
    configuration.scripting.rules.isEmpty ? nil : Self.line("rules", configuration)
  }

  private static func line(_ beginning: String, _ configuration: ServerScriptConfiguration)
    -> String
  {
    let count = configuration.scripting.rules.count
    let name = configuration.rulesPath.map { $0 == "-" ? "standard input" : $0 }
    return "\(beginning): " + (name.map { "\($0), " } ?? "")
      + (count == 1 ? "1 rule" : "\(count) rules")
  }

  // MARK: Reports

  /// Adds the script of a connection to the reports.
  func add(_ client: Int, _ summary: ScriptSummary) {
    guard configuration.junit != nil || configuration.isTAP else { return }
    var cases = summary.reports.map { entry in
      let step = summary.script.steps[entry.report.index]
      return TestReport.Case(
        name: "line \(step.line): \(step.text)", seconds: Double(entry.time) / 1e9,
        failure: entry.report.failure.map(ScriptFailureText.got))
    }
    let reached = summary.reports.last?.report.index ?? -1
    if case .failed = summary.result {
      for step in summary.script.steps.dropFirst(reached + 1) where Script.isTest(step.action) {
        cases.append(
          TestReport.Case(
            name: "line \(step.line): \(step.text)", seconds: Double(summary.duration) / 1e9,
            failure: "not reached"))
      }
    }
    let suite = TestReport(
      name: "#\(client) \(configuration.scriptName ?? "")",
      started: UTCTime.now - summary.duration, seconds: Double(summary.duration) / 1e9,
      host: ExpectationReporter.host, cases: cases, classname: "wscope.listen")
    let all = suites.withLock { suites in
      suites.append(suite)
      return suites
    }
    guard let junit = configuration.junit else { return }
    do {
      try FileContents.write(TestReport.junit(all), to: junit, context.console)
    } catch {
      guard !hasFailedToWrite.exchange(true, ordering: .relaxed) else { return }
      context.explain(Diagnosis(cause: (error as? CommandFailure)?.message ?? "\(error)"))
    }
  }

  /// Writes the reports at the end of the run.
  ///
  /// - Returns: false if a report could not be written.
  func finish() -> Bool {
    if configuration.isTAP {
      let all = suites.withLock { $0 }
      let cases = all.flatMap { suite in
        suite.cases.map { test in
          var test = test
          test.name = "\(suite.name): \(test.name)"
          return test
        }
      }
      let report = TestReport(
        name: "", started: 0, seconds: 0, host: "", cases: cases, classname: "wscope.listen")
      do throws(OutputError) {
        try context.console.payload(Array(report.tap.utf8))
      } catch {
        if case .failed(let code, let stream) = error {
          context.explain(
            Diagnosis(cause: "cannot write \(stream): \(SystemError(code: code).reason)"))
          return false
        }
      }
    }
    return !hasFailedToWrite.load(ordering: .relaxed)
  }

  // MARK: Changes of the rules

  /// Reloads the rules whenever their file has changed; checks once a second.
  func followChanges(of server: TestServer) async {
    guard let path = configuration.rulesPath, path != "-" else { return }
    var known = FileStamp(path)
    while !Task.isCancelled {
      try? await Task.sleep(for: .seconds(1))
      let stamp = FileStamp(path)
      // A file that is being replaced may be missing for a moment.
      guard stamp != known, stamp != nil else { continue }
      known = stamp
      reload(path, server)
    }
  }

  private func reload(_ path: String, _ server: TestServer) {
    let environment = configuration.scripting.environment
    do {
      var changed = configuration
      changed.scripting.rules =
        configuration.single
        + (try ScriptFile.read(path, .listenRules, environment).script.rules)
      let files = try ScriptFile.files(
        Script(steps: [], rules: changed.scripting.rules), beside: path, environment)
      server.replaceRules(changed.scripting.rules, files: files)
      context.inform(Self.line("rules read again", changed))
    } catch {
      let words = (error as? CommandFailure)?.message ?? "\(error)"
      context.warn("\(words); the old rules stay")
    }
  }
}
