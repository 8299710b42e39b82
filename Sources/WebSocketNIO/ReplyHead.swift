import NIOHTTP1

/// The head of a reply as received. The parser of NIO provides neither the reason phrase nor the
/// reason why it rejects a head.
package enum ReplyHead {
  /// The reason phrase of the status line (RFC 9112 section 4); nil if there is none.
  static func reasonPhrase(_ head: some Collection<UInt8>) -> String? {
    let line = Array(head.prefix { $0 != 0x0A })
    let text = String(decoding: line.last == 0x0D ? line.dropLast() : line[...], as: UTF8.self)
    let parts = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3 else { return nil }
    let phrase = parts[2].drop { $0 == " " || $0 == "\t" }
    return phrase.isEmpty ? nil : String(phrase)
  }

  /// A line that violates the grammar of HTTP/1.1.
  package struct Fault: Equatable, Sendable {
    /// Counted from 1.
    package var line: Int
    package var text: [UInt8]
    package var problem: Problem
  }

  /// The violation in a line.
  package enum Problem: Equatable, Sendable {
    case badStatusLine
    /// A field that continues on a second line, "obs-fold" (RFC 9112 section 5.2).
    case folded
    case noColon
    /// "No whitespace is allowed between the field name and colon" (RFC 9112 section 5.1).
    case spaceBeforeColon
    case badName
    case controlCharacter
    case bareCarriageReturn
  }

  /// The first line of a reply head that violates the grammar; nil if none does. The head may be
  /// incomplete.
  package static func fault(_ head: [UInt8]) -> Fault? {
    let lines = head.split(separator: 0x0A, omittingEmptySubsequences: false)
    for (index, raw) in lines.enumerated() {
      let line = raw.last == 0x0D ? raw.dropLast() : raw
      // The end of the head, or an incomplete line.
      if line.isEmpty || index == lines.count - 1 { return nil }
      if let problem = problem(line, isFirst: index == 0) {
        return Fault(line: index + 1, text: Array(line), problem: problem)
      }
    }
    return nil
  }

  private static func problem(_ line: ArraySlice<UInt8>, isFirst: Bool) -> Problem? {
    if line.contains(0x0D) { return .bareCarriageReturn }
    guard !isFirst else { return isStatusLine(line) ? nil : .badStatusLine }
    if line.first == 0x20 || line.first == 0x09 { return .folded }
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return .noColon }
    let name = line[..<colon]
    if name.last == 0x20 || name.last == 0x09 { return .spaceBeforeColon }
    guard !name.isEmpty, name.allSatisfy(isTokenByte) else { return .badName }
    let isText = line[colon...].allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    return isText ? nil : .controlCharacter
  }

  private static func isStatusLine(_ line: ArraySlice<UInt8>) -> Bool {
    let parts = line.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count >= 2, parts[0].starts(with: "HTTP/1.".utf8), parts[0].count == 8 else {
      return false
    }
    let isCode = parts[1].count == 3 && parts[1].allSatisfy { (0x30...0x39).contains($0) }
    let phrase = parts.count > 2 ? parts[2] : []
    return isCode && phrase.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
  }

  private static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
  }

  /// Removes the fields from a 101 that would give it a body, which "any 1xx" cannot have (RFC 9112
  /// section 6.3): a parser would take the first frames for that body.
  ///
  /// - Returns: the names of the fields, as they were written.
  static func removeBodyFields(from head: inout [UInt8]) -> [String] {
    guard head.starts(with: "HTTP/1.1 101".utf8) else { return [] }
    var names: [String] = []
    var kept: [UInt8] = []
    for line in head.split(separator: 0x0A, omittingEmptySubsequences: false) {
      let name = String(decoding: line.prefix { $0 != UInt8(ascii: ":") }, as: UTF8.self)
      if ["content-length", "transfer-encoding"].contains(name.lowercased()) {
        names.append(name)
      } else {
        kept += line + [0x0A]
      }
    }
    head = Array(kept.dropLast())
    return names
  }
}
