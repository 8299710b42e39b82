package import WebSocketProtocol

/// A set of close codes as the user types it: `1008`, `1000,1001`, `4000-4999`.
package struct CloseCodes: Sendable, Hashable {
  /// The text as typed.
  package let text: String
  private let ranges: [ClosedRange<UInt16>]

  /// - Returns: nil if it is not a list of codes from 1000 to 4999.
  package init?(_ text: String) {
    self.text = text
    var ranges: [ClosedRange<UInt16>] = []
    for item in text.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = item.split(separator: "-", omittingEmptySubsequences: false).map(Self.code)
      guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1],
        first <= last
      else { return nil }
      ranges.append(first...last)
    }
    guard !ranges.isEmpty else { return nil }
    self.ranges = ranges
  }

  private static func code(_ text: Substring) -> UInt16? {
    guard text.count == 4, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let code = UInt16(text), (1000...4999).contains(code)
    else { return nil }
    return code
  }

  package func contains(_ code: CloseCode) -> Bool {
    ranges.contains { $0.contains(code.rawValue) }
  }
}
