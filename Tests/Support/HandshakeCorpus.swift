import Glibc

/// The corpus of handshakes in `Tests/Corpus`; its notation is explained at the top of requests.txt.
package struct HandshakeCorpus {
  package struct Case: Sendable, CustomStringConvertible {
    package var name: String
    package var verdict: String
    /// Where `{accept}` stands in the file, the bytes `\{accept}` still stand here.
    package var bytes: [UInt8]

    package var description: String { name }

    /// The bytes with the Sec-WebSocket-Accept that is right for the key of a request.
    package func bytes(accept: String) -> [UInt8] {
      let mark = Array("\\{accept}".utf8)
      var result: [UInt8] = []
      var rest = bytes[...]
      while let first = rest.firstIndex(of: UInt8(ascii: "\\")) {
        result += rest[..<first]
        rest = rest[first...]
        if rest.starts(with: mark) {
          result += Array(accept.utf8)
          rest = rest.dropFirst(mark.count)
        } else {
          result.append(rest.removeFirst())
        }
      }
      return result + rest
    }
  }

  package let cases: [Case]

  /// Reads a file of the corpus.
  ///
  /// - Throws: `TestPeerError` for a file that cannot be read, or a line that is no case.
  package init(_ file: String) throws {
    var names: [String: [UInt8]] = [:]
    var cases: [Case] = []
    for line in try Self.text(file).split(separator: "\n") {
      let line = Self.trimmed(line)
      if line.isEmpty || line.hasPrefix("#") { continue }
      if line.hasPrefix("let ") {
        let parts = line.split(separator: " ", maxSplits: 2)
        guard parts.count == 3 else { throw TestPeerError("\(file): \(line)") }
        names[String(parts[1])] = try Self.expanded(parts[2], names)
        continue
      }
      let parts = Self.split(line.hasSuffix(" |") ? line + " " : Substring(line))
      guard parts.count == 3 else { throw TestPeerError("\(file): \(line)") }
      cases.append(
        Case(
          name: String(parts[0]), verdict: String(parts[1]),
          bytes: try Self.expanded(parts[2], names)))
    }
    self.cases = cases
  }

  private static func trimmed(_ line: Substring) -> Substring {
    var line = line
    while line.last?.isWhitespace == true { line.removeLast() }
    return line
  }

  /// Name, verdict and bytes; the bytes may have ` | ` in them.
  private static func split(_ line: Substring) -> [Substring] {
    var parts: [Substring] = []
    var rest = line
    while parts.count < 2, let mark = rest.firstRange(of: " | ") {
      parts.append(rest[..<mark.lowerBound])
      rest = rest[mark.upperBound...]
    }
    return parts + [rest]
  }

  private static func expanded(_ text: Substring, _ names: [String: [UInt8]]) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = text
    while let character = rest.first {
      rest.removeFirst()
      guard character == "\\" else {
        bytes += Array(String(character).utf8)
        continue
      }
      guard let mark = rest.popFirst() else { throw TestPeerError("a lone backslash: \(text)") }
      switch mark {
      case "r": bytes.append(0x0D)
      case "n": bytes.append(0x0A)
      case "t": bytes.append(0x09)
      case "\\": bytes.append(UInt8(ascii: "\\"))
      case "x":
        guard let byte = UInt8(rest.prefix(2), radix: 16) else {
          throw TestPeerError("no byte: \(rest.prefix(2))")
        }
        bytes.append(byte)
        rest = rest.dropFirst(2)
      case "{":
        guard let end = rest.firstIndex(of: "}") else { throw TestPeerError("no }: \(text)") }
        let inside = rest[..<end]
        rest = rest[end...].dropFirst()
        bytes += try braced(inside, names)
      default: throw TestPeerError("no such escape: \(mark)")
      }
    }
    return bytes
  }

  private static func braced(
    _ inside: Substring, _ names: [String: [UInt8]]
  ) throws -> [UInt8] {
    if inside == "accept" { return Array("\\{accept}".utf8) }
    if let named = names[String(inside)] { return named }
    let parts = inside.split(separator: "*", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let count = Int(parts[0]) else {
      throw TestPeerError("no such name: \(inside)")
    }
    let repeated = try expanded(parts[1], names)
    return (0..<count).flatMap { _ in repeated }
  }

  private static func text(_ file: String) throws -> String {
    let root = #filePath.split(separator: "/").dropLast(2).reduce(into: "") { $0 += "/" + $1 }
    guard let stream = fopen("\(root)/Corpus/\(file)", "r") else {
      throw TestPeerError.system("open \(file)")
    }
    defer { fclose(stream) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&chunk, 1, chunk.count, stream), count > 0 {
      bytes += chunk[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
