import Conversation
import Glibc
import NIOCore
import Synchronization
import Terminal

/// Where the results of expectations are reported, in addition to standard error.
struct ReportConfiguration: Sendable {
  /// Whether to print TAP on standard output.
  var isTAP = false
  /// The file for JUnit XML.
  var junit: String?
  /// The time limit of the expectations, in nanoseconds.
  var within: Int64?
}

/// Reports the results of the expectations of runs, and stores them for the reports about all runs.
final class ExpectationReporter: Sendable {
  let configuration: ReportConfiguration
  /// The name of the test target, without secrets.
  private let name: String
  private let start: NIODeadline
  private let context: CommandContext
  private let started = UTCTime.now
  private let state = Mutex(State())

  private struct State: Sendable {
    var cases: [TestReport.Case] = []
    /// The prefix for the names of further cases.
    var prefix = ""
  }

  init(
    _ configuration: ReportConfiguration, name: String, start: NIODeadline,
    _ context: CommandContext
  ) {
    self.configuration = configuration
    self.name = name
    self.start = start
    self.context = context
  }

  /// Starts another run.
  func begin(_ prefix: String) { state.withLock { $0.prefix = prefix } }

  /// Reports the results of a run.
  ///
  /// - Parameters:
  ///   - results: the results, all decided.
  ///   - began: when the run began.
  ///   - opened: when the connection opened; nil if it never did.
  ///   - failure: another failure of the run, if there was one.
  func report(
    _ results: [ExpectationResult], began: NIODeadline, opened: NIODeadline?, failure: String?
  ) {
    if !configuration.isTAP { tell(results) }
    add(cases(results, began: began, opened: opened, failure: failure))
  }

  /// Adds cases, with the current prefix.
  func add(_ cases: [TestReport.Case]) {
    state.withLock { state in
      for var test in cases {
        test.name = state.prefix + test.name
        state.cases.append(test)
      }
    }
  }

  /// Writes the requested reports.
  ///
  /// - Returns: false if one could not be written, which has then been reported.
  func write() -> Bool {
    guard configuration.isTAP || configuration.junit != nil else { return true }
    let report = TestReport(
      name: name, started: started, seconds: Self.seconds(.now() - start), host: Self.host,
      cases: state.withLock { $0.cases })
    do {
      if configuration.isTAP { try context.console.payload(Array(report.tap.utf8)) }
      if let junit = configuration.junit {
        try FileContents.write(report.junit, to: junit, context.console)
      }
      return true
    } catch let failure as CommandFailure {
      context.explain(Diagnosis(cause: failure.message))
    } catch OutputError.failed(let code, let stream) {
      context.explain(
        Diagnosis(cause: "cannot write \(stream): \(SystemError(code: code).reason)"))
    } catch {
      // The reader has closed the stream: exit quietly.
      return true
    }
    return false
  }

  private func tell(_ results: [ExpectationResult]) {
    for result in results {
      let name = ExpectationText.name(result.expectation, within: configuration.within)
      if result.isMet {
        context.inform("met: \(name)")
      } else {
        context.explain(
          Diagnosis(
            cause: "expected \(name)", details: ["got: \(ExpectationText.instead(result))"]))
      }
    }
  }

  private func cases(
    _ results: [ExpectationResult], began start: NIODeadline, opened: NIODeadline?,
    failure: String?
  ) -> [TestReport.Case] {
    var cases: [TestReport.Case] = []
    let expectsRefusal = results.contains {
      if case .status(let status) = $0.expectation { status != 101 } else { false }
    }
    if let opened {
      cases.append(
        TestReport.Case(name: "the connection opens", seconds: Self.seconds(opened - start)))
    } else if !expectsRefusal {
      cases.append(
        TestReport.Case(
          name: "the connection opens", seconds: Self.seconds(.now() - start),
          failure: failure ?? "no connection"))
    }
    for result in results {
      let time = result.time.map { $0 - Int64(start.uptimeNanoseconds) } ?? 0
      cases.append(
        TestReport.Case(
          name: ExpectationText.name(result.expectation, within: configuration.within),
          seconds: Double(time) / 1e9,
          failure: result.isMet ? nil : ExpectationText.instead(result)))
    }
    // A connection that ends badly fails the command, so the report must contain a failure too.
    if let failure, opened != nil || expectsRefusal {
      cases.append(
        TestReport.Case(
          name: "the connection ends normally", seconds: Self.seconds(.now() - start),
          failure: failure))
    }
    return cases
  }

  static func seconds(_ time: TimeAmount) -> Double { Double(time.nanoseconds) / 1e9 }

  static var host: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
