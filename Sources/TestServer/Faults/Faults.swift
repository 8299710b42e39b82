import Conversation

/// The registry of faults.
package enum Faults {
  /// All faults. Help, completion, errors and tests read this list.
  package static let all = [
    Refuse.entry, SlowOpen.entry, Drop.entry, Duplicate.entry, Corrupt.entry, Delay.entry,
    Fragment.entry, NoPong.entry, SlowClose.entry, CloseFault.entry, Throttle.entry, Slice.entry,
    Stall.entry, NoRead.entry, Reset.entry, Finish.entry, Limit.entry, Life.entry,
  ]

  /// Parses `KIND[=VALUE][,PARAM=VALUE...]`.
  ///
  /// - Parameters:
  ///   - text: The fault as typed.
  ///   - isURL: Whether it comes from the URL of a connection, where `conn=` and `path=` are
  ///     invalid.
  /// - Returns: The fault with its parameters.
  /// - Throws: `FaultError` with the problem; for an unknown kind with the nearest one.
  package static func parse(_ text: String, isURL: Bool = false) throws(FaultError) -> FaultRule {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(Pair.init)
    let kind = parts[0]
    guard let entry = all.first(where: { $0.name == kind.name }) else {
      let near = Nearest.word(to: kind.name, among: all.map(\.name))
      throw FaultError(
        problem: "unknown fault \"\(kind.name)\"" + (near.map { "; did you mean \($0)?" } ?? ""))
    }
    var rule = FaultRule(line: text, text: kind.text, action: try action(entry, kind.value))
    for part in parts.dropFirst() { try rule.apply(part, entry, isURL: isURL) }
    return rule
  }

  private static func action(
    _ entry: FaultEntry, _ value: String?
  ) throws(FaultError) -> FaultAction {
    if entry.example == nil, value != nil {
      throw FaultError(fault: entry.name, problem: "\(entry.name) takes no value")
    }
    do throws(InvalidFaultValue) {
      if value == "", entry.isValueOptional { throw InvalidFaultValue(expected: "a value after =") }
      return try entry.parse(value ?? "")
    } catch {
      let found = value.map { "invalid value \"\($0)\"" } ?? "missing value"
      throw FaultError(fault: entry.name, problem: "\(found) (expected \(error.expected))")
    }
  }

  /// `NAME=VALUE`, or a name alone.
  struct Pair {
    var name: String
    var value: String?
    var text: String

    init(_ text: Substring) {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      name = String(parts[0])
      value = parts.count > 1 ? String(parts[1]) : nil
      self.text = String(text)
    }
  }
}
