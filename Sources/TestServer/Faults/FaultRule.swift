import Conversation

/// One fault with its parameters: when it begins and ends, and which connections it is for.
package struct FaultRule: Sendable {
  /// When a fault begins.
  enum Start: Hashable, Sendable {
    /// Nanoseconds after the opening.
    case time(Int64)
    /// After this many messages to the client.
    case messages(Int)
  }

  /// The whole rule as typed.
  package var line: String
  /// The kind and its value as typed; nil if it is not logged as a fault.
  package var text: String?
  var action: FaultAction
  var start = Start.time(0)
  /// Duration in nanoseconds; nil lasts until the end of the connection.
  var duration: Int64?
  /// Nanoseconds between two pieces of a fault that has them.
  var gap: Int64?
  /// The share of connections that have the fault, from 0 to 1.
  var share = 1.0
  /// The range of upgrade requests, counted from 1 among those that fit the path; nil for all.
  var connections: ClosedRange<Int>?
  /// The pattern of the path, in which `*` matches any characters; nil for all paths.
  var path: String?

  init(line: String, text: String?, action: FaultAction) {
    self.line = line
    self.text = text
    self.action = action
  }

  /// A rule for a test path, which applies to all its connections and is not logged as a fault.
  static func silent(_ action: FaultAction) -> FaultRule {
    FaultRule(line: "", text: nil, action: action)
  }

  func fits(path: String) -> Bool { self.path.map { Glob.matches($0, path) } ?? true }

  // MARK: Reading

  private static let parameters = ["after", "for", "p", "conn", "path"]

  mutating func apply(
    _ parameter: Faults.Pair, _ entry: FaultEntry, isURL: Bool
  ) throws(FaultError) {
    let name = parameter.name
    let known = Self.parameters + entry.parameters
    guard known.contains(name) else {
      let near = Nearest.word(to: name, among: known)
      throw FaultError(
        fault: entry.name,
        problem: "unknown parameter \"\(name)\"" + (near.map { "; did you mean \($0)?" } ?? ""))
    }
    if isURL, name == "conn" || name == "path" {
      throw FaultError(problem: "\(name)= is not valid in a URL")
    }
    if name == "for" && !entry.canEnd || name == "after" && !entry.canStartLater {
      throw FaultError(fault: entry.name, problem: "\(name)= is not valid with \(entry.name)")
    }
    let value = parameter.value ?? ""
    guard read(name, value) else {
      throw FaultError(
        fault: entry.name,
        problem: "invalid \(name)=\(value) (expected \(Self.expected[name] ?? ""))")
    }
  }

  private static let expected = [
    "after": "a number of messages, or a duration as in 2s", "for": "a duration as in 2s",
    "gap": "a duration as in 2ms",
    "p": "30% or 0.3", "conn": "N, N-M or N-", "path": "a path, with * for any characters",
  ]

  private mutating func read(_ name: String, _ value: String) -> Bool {
    switch name {
    case "after":
      if let count = Self.number(value) {
        start = .messages(count)
      } else if let time = Duration.nanoseconds(value) {
        start = .time(time)
      } else {
        return false
      }
      return true
    case "for":
      duration = Duration.nanoseconds(value)
      return duration.map { $0 > 0 } ?? false
    case "gap":
      gap = Duration.nanoseconds(value)
      return gap != nil
    case "p":
      guard let share = Share.parse(value) else { return false }
      self.share = share
      return true
    case "conn":
      let ends = value.split(separator: "-", omittingEmptySubsequences: false).map(String.init)
      guard let first = Self.number(ends[0]), first >= 1, ends.count <= 2 else { return false }
      var last = first
      if ends.count == 2 {
        guard let end = ends[1].isEmpty ? Int.max : Self.number(ends[1]) else { return false }
        last = end
      }
      guard last >= first else { return false }
      connections = first...last
      return true
    default:
      path = value
      return value.hasPrefix("/") || value.hasPrefix("*")
    }
  }

  private static func number(_ text: String) -> Int? {
    text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
  }
}

/// Parses a share such as `5%` or `0.05`.
enum Share {
  /// - Returns: A number from 0 to 1; nil if the text is invalid.
  static func parse(_ text: String) -> Double? {
    let isPercent = text.hasSuffix("%")
    let digits = isPercent ? text.dropLast() : text[...]
    guard !digits.isEmpty,
      digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }),
      let number = Double(digits)
    else { return nil }
    let share = isPercent ? number / 100 : number
    return share <= 1 ? share : nil
  }
}
