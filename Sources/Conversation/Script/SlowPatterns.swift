extension Script {
  /// The lines whose regular expression has an unbounded quantifier on a group that contains
  /// another one: the time of a search can grow exponentially with the message, up to the limit of
  /// `Pattern`.
  package static func slowPatterns(in script: Script) -> [Int] {
    var wants: [(line: Int, want: Want)] = []
    for step in script.steps {
      if case .expect(let want, _) = step.action { wants.append((step.line, want)) }
    }
    for rule in script.rules {
      if case .message(let want, _) = rule.event { wants.append((rule.line, want)) }
    }
    return wants.compactMap { line, want in
      guard case .pattern(let template) = want else { return nil }
      return hasNestedQuantifiers(template.filled { _ in "x" }) ? line : nil
    }
  }

  static func hasNestedQuantifiers(_ pattern: String) -> Bool {
    let bytes = Array(pattern.utf8)
    // For each open group, whether an unbounded quantifier was seen in it.
    var groups = [false]
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      index += 1
      switch byte {
      case UInt8(ascii: "\\"): index += 1
      case UInt8(ascii: "["):
        // A bracket directly after the first one is a member of the class.
        if index < bytes.count, bytes[index] == UInt8(ascii: "^") { index += 1 }
        index += 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "]") {
          index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        index += 1
      case UInt8(ascii: "("): groups.append(false)
      case UInt8(ascii: ")") where groups.count > 1:
        let isRepeated = groups.removeLast()
        if isRepeated, isUnbounded(bytes, index) { return true }
        if isRepeated { groups[groups.count - 1] = true }
      case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "{"):
        if isUnbounded(bytes, index - 1) { groups[groups.count - 1] = true }
      default: break
      }
    }
    return false
  }

  /// Whether there is an unbounded `*`, `+` or `{n,}` at `index`; a possessive one does not
  /// backtrack.
  private static func isUnbounded(_ bytes: [UInt8], _ index: Int) -> Bool {
    guard index < bytes.count else { return false }
    var end = index
    switch bytes[index] {
    case UInt8(ascii: "*"), UInt8(ascii: "+"): break
    case UInt8(ascii: "{"):
      guard let close = bytes[index...].firstIndex(of: UInt8(ascii: "}")),
        bytes[close - 1] == UInt8(ascii: ",")
      else { return false }
      end = close
    default: return false
    }
    return end + 1 >= bytes.count || bytes[end + 1] != UInt8(ascii: "+")
  }
}
