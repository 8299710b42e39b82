import Conversation

/// Results among other text: the output of several processes, logs with prefixes, pages of reports.
package struct ResultStream: Sendable, Equatable {
  /// The results, each one JSON text, in their order.
  package private(set) var results: [[UInt8]] = []
  /// Lines that are not part of a result; empty ones do not count.
  package private(set) var skippedLines = 0
  /// The number of a line, from 1, in which a result begins that has no end.
  package private(set) var unfinished: Int?

  private static let brace = UInt8(ascii: "{")
  private static let lineFeed: UInt8 = 0x0A

  /// Finds the results in a text.
  ///
  /// A result is an object whose first member is `schema`. Anything may be in front of it on its line, and it
  /// ends with its own last brace, on the same line or a later one.
  ///
  /// - Parameter bytes: Any text.
  package init(_ bytes: [UInt8]) {
    var rest = bytes[...]
    var line = 1
    while !rest.isEmpty {
      let end = rest.firstIndex(of: Self.lineFeed) ?? rest.endIndex
      if let brace = rest[..<end].indices.first(where: {
        rest[$0] == Self.brace && Self.isResult(rest[$0...])
      }) {
        guard let close = Self.end(of: rest[brace...]) else {
          unfinished = line
          return
        }
        results.append(Array(rest[brace..<close]))
        line += rest[brace..<close].count { $0 == Self.lineFeed }
        // What follows on the line may be the next result; a bare line end is not a line of its own.
        rest = rest[close...]
        if rest.first == Self.lineFeed {
          rest.removeFirst()
          line += 1
        }
      } else {
        if rest[..<end].contains(where: { $0 > 0x20 }) { skippedLines += 1 }
        rest = end < rest.endIndex ? rest[(end + 1)...] : []
        line += 1
      }
    }
  }

  /// Whether the object that begins here has `"schema"` as its first member.
  private static func isResult(_ text: ArraySlice<UInt8>) -> Bool {
    let first = text.dropFirst().drop { $0 <= 0x20 }
    return first.starts(with: Array("\"schema\"".utf8))
  }

  /// The index after the object that begins here; nil without its last brace.
  private static func end(of text: ArraySlice<UInt8>) -> Int? {
    var depth = 0
    var (isString, isEscaped) = (false, false)
    for index in text.indices {
      let byte = text[index]
      if isString {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
          isString = false
        }
        continue
      }
      switch byte {
      case UInt8(ascii: "\""): isString = true
      case brace: depth += 1
      case UInt8(ascii: "}"):
        depth -= 1
        if depth == 0 { return index + 1 }
      default: break
      }
    }
    return nil
  }
}
