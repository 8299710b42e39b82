/// A Swift source as the house rules read it.
struct SourceFile: Sendable {
  /// From the root of the repository.
  let path: String
  let text: String
  /// The text with comments and the letters of strings blanked out, line by line as long as before.
  let code: String
  /// Those of the code.
  let lines: [String]
  /// All names and numbers of the code.
  let words: [Word]
  let imports: [Import]

  init(path: String, text: String) {
    self.path = path
    self.text = text
    code = CodeOnly.of(text)
    lines = code.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    words = lines.enumerated().flatMap { Self.words(Array($1.utf8), line: $0 + 1) }
    imports = lines.enumerated().compactMap { Self.imported($1, line: $0 + 1) }
  }

  /// `WebSocketNIO` in `Sources/WebSocketNIO/Client.swift`.
  var target: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }

  /// An import with what of the module is imported.
  struct Import: Hashable {
    /// `NIOCore`
    var module: String
    /// `NIOCore`, or `struct NIOCore.ByteBuffer`
    var scope: String
    var line: Int
  }

  private static func imported(_ line: String, line number: Int) -> Import? {
    guard line.contains("import ") else { return nil }
    let access = ["public", "package", "internal", "fileprivate", "private"]
    let words = line.split(separator: " ")
      .drop { $0.hasPrefix("@") || access.contains(String($0)) }
    guard words.first == "import", let name = words.dropFirst().last else { return nil }
    let module = name.split(separator: ".").first.map(String.init) ?? ""
    return Import(module: module, scope: words.dropFirst().joined(separator: " "), line: number)
  }

  /// A name in the code and what stands around it.
  struct Word {
    var text: String
    /// The name before it and what is between, as `Glibc.` before the `write` of `Glibc.write`.
    var before: String
    /// The next character behind it.
    var after: Character?
    var line: Int
  }

  private static func words(_ line: [UInt8], line number: Int) -> [Word] {
    var words: [Word] = []
    var last = 0
    var next = 0
    while let start = line[next...].firstIndex(where: isWordPart) {
      let end = line[start...].firstIndex { !isWordPart($0) } ?? line.endIndex
      words.append(
        Word(
          text: String(decoding: line[start..<end], as: UTF8.self),
          before: String(decoding: line[last..<start], as: UTF8.self),
          after: end < line.endIndex ? Character(Unicode.Scalar(line[end])) : nil, line: number))
      last = start
      next = end
    }
    return words
  }

  private static func isWordPart(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
      true
    default: false
    }
  }

  /// Lines that are neither blank nor only comment.
  var codeLineCount: Int {
    lines.count { $0.contains { $0 != " " } }
  }
}

/// Blanks out what is not code. Code inside `\(...)` of a string stays.
private struct CodeOnly {
  private let bytes: [UInt8]
  private var output: [UInt8]
  private var next = 0

  static func of(_ text: String) -> String {
    var reader = CodeOnly(Array(text.utf8))
    reader.code(isInterpolation: false)
    return String(decoding: reader.output, as: UTF8.self)
  }

  private init(_ bytes: [UInt8]) {
    self.bytes = bytes
    output = bytes
  }

  private func isAt(_ text: String) -> Bool {
    text.utf8.first == bytes[next] && bytes[next...].starts(with: text.utf8)
  }

  /// Blanks `count` bytes, except newlines.
  private mutating func blank(_ count: Int) {
    for _ in 0..<count where next < bytes.count {
      if bytes[next] != UInt8(ascii: "\n") { output[next] = UInt8(ascii: " ") }
      next += 1
    }
  }

  private mutating func code(isInterpolation: Bool) {
    var depth = 0
    while next < bytes.count {
      if isAt("//") {
        while next < bytes.count, bytes[next] != UInt8(ascii: "\n") { blank(1) }
      } else if isAt("/*") {
        comment()
      } else if let hashes = stringStart() {
        string(hashes)
      } else {
        if bytes[next] == UInt8(ascii: "(") { depth += 1 }
        if bytes[next] == UInt8(ascii: ")") { depth -= 1 }
        if isInterpolation, depth < 0 { return blank(1) }
        next += 1
      }
    }
  }

  private mutating func comment() {
    var depth = 0
    repeat {
      if isAt("/*") {
        depth += 1
        blank(2)
      } else if isAt("*/") {
        depth -= 1
        blank(2)
      } else {
        blank(1)
      }
    } while depth > 0 && next < bytes.count
  }

  /// The number of `#` before the quote, if a string begins here.
  private func stringStart() -> Int? {
    guard bytes[next] == UInt8(ascii: "#") || bytes[next] == UInt8(ascii: "\"") else { return nil }
    let hashes = bytes[next...].prefix { $0 == UInt8(ascii: "#") }.count
    guard next + hashes < bytes.count, bytes[next + hashes] == UInt8(ascii: "\"") else {
      return nil
    }
    return hashes
  }

  private mutating func string(_ hashes: Int) {
    blank(hashes)
    let quotes = isAt("\"\"\"") ? 3 : 1
    blank(quotes)
    let fence = String(repeating: "#", count: hashes)
    let end = String(repeating: "\"", count: quotes) + fence
    while next < bytes.count {
      if isAt(end) { return blank(end.utf8.count) }
      if isAt("\\" + fence + "(") {
        blank(2 + hashes)
        code(isInterpolation: true)
      } else if isAt("\\" + fence) {
        blank(2 + hashes)
      } else if quotes == 1, bytes[next] == UInt8(ascii: "\n") {
        return
      } else {
        blank(1)
      }
    }
  }
}
