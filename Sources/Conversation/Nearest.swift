/// Finds the word that was probably meant.
package enum Nearest {
  /// The candidate with the fewest changed letters, if these are few enough for a typing error.
  package static func word(to typed: String, among candidates: [String]) -> String? {
    let scored = candidates.map { ($0, distance(Array(typed), Array($0))) }
    guard let best = scored.min(by: { $0.1 < $1.1 }) else { return nil }
    return best.1 <= max(1, typed.count / 3) ? best.0 : nil
  }

  /// The number of letters to insert, remove, change or swap with the next (optimal string
  /// alignment).
  private static func distance(_ from: [Character], _ to: [Character]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...to.count)
    for (row, letter) in from.enumerated() {
      var current = [row + 1]
      for (column, other) in to.enumerated() {
        var best = min(last[column + 1], current[column]) + 1
        best = min(best, last[column] + (letter == other ? 0 : 1))
        if row > 0, column > 0, letter == to[column - 1], from[row - 1] == other {
          best = min(best, beforeLast[column - 1] + 1)
        }
        current.append(best)
      }
      (beforeLast, last) = (last, current)
    }
    return last[to.count]
  }
}
