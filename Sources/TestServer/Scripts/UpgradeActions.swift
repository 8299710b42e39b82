import Conversation
import NIOCore
import NIOHTTP1
import WebSocketNIO

extension ScriptedContext {
  /// The answer to an upgrade request that has passed all checks. `upgrade` rules, and a script
  /// that starts with a `status` step, act before the 101 response.
  ///
  /// - Parameters:
  ///   - visit: The rules that apply to the upgrade; nil if there are none.
  ///   - target: The target of the request.
  ///   - accepted: Creates the answer that accepts it.
  ///   - report: Receives a rejection and its origin.
  /// - Returns: The answer that accepts or rejects the upgrade, at once or later.
  func answer(
    _ visit: RuleBook.Visit?, _ target: RequestTarget, accepted: () -> HTTPAnswer,
    report: (HTTPReplyText, Rejecter) -> Void
  ) -> HTTPAnswer {
    var delay: Int64 = 0
    for (rejecter, action) in upgradeActions(visit) {
      switch action {
      case .wait(let duration): delay += duration
      case .status(let status, let text):
        let text = variables(target).text(text)
        let reply =
          (try? StatusPath.reply(status, text))
          ?? HTTPReplyText(
            status: .internalServerError, fields: [], body: "invalid Location of a redirect")
        report(reply, rejecter)
        return .delayed(by: .nanoseconds(delay), .reply(reply.reply))
      case .reset:
        return .later { [delay] loop in
          loop.scheduleTask(in: .nanoseconds(delay)) { throw HTTPAnswer.Reset() }.futureResult
        }
      // Do not reply for as long as the client may wait.
      case .stall: return .delayed(by: .hours(24 * 365), .reply(HTTPReply(.serviceUnavailable)))
      default: break
      }
    }
    return delay == 0 ? accepted() : .delayed(by: .nanoseconds(delay), accepted())
  }

  /// The origin of a rejection.
  enum Rejecter {
    /// A rule, by name.
    case rule(String)
    /// A step of the script, by line.
    case step(Int)

    var text: String {
      switch self {
      case .rule(let name): "rule \(name)"
      case .step(let line): "line \(line) of the script"
      }
    }
  }

  private func upgradeActions(_ visit: RuleBook.Visit?) -> [(Rejecter, Script.Action)] {
    if let actions = visit?.actions, !actions.isEmpty {
      return actions.map { (.rule(Script.ruleName($0.line)), $0.action) }
    }
    guard let step = script?.script.steps.first, case .status = step.action else { return [] }
    return [(.step(step.line), step.action)]
  }

  /// The variables of a request: the environment, `PATH`, and the query parameters.
  func variables(_ target: RequestTarget) -> ScriptVariables {
    var variables = ScriptVariables(environment: scripting.environment)
    variables.predefined["PATH"] = .string(target.path)
    for parameter in target.query where variables.query[parameter.name] == nil {
      variables.query[parameter.name] = parameter.value
    }
    return variables
  }
}
