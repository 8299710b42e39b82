import WebSocketNIO
import WebSocketProtocol

/// User names and passwords by host, in the file format of ftp and curl.
struct Netrc: Sendable, Hashable {
  struct Entry: Sendable, Hashable {
    /// nil for any host.
    var host: String?
    var user = ""
    var password = ""
  }

  struct Problem: Error, Hashable {
    /// The line number, from 1.
    var line: Int
    var message: String
  }

  private(set) var entries: [Entry] = []

  /// - Throws: `Problem`.
  init(_ text: String) throws(Problem) {
    var tokens = Tokens(text)
    while let token = try tokens.next() {
      switch token {
      case "machine": entries.append(Entry(host: try tokens.value(of: token).lowercased()))
      case "default": entries.append(Entry())
      case "login", "password", "account":
        let value = try tokens.value(of: token)
        guard !entries.isEmpty else {
          throw Problem(line: tokens.line, message: "\(token) before the first machine")
        }
        if token == "login" { entries[entries.count - 1].user = value }
        if token == "password" { entries[entries.count - 1].password = value }
      case "macdef": tokens.skipMacro()
      default:
        throw Problem(line: tokens.line, message: "unknown keyword \"\(token)\" in a netrc file")
      }
    }
  }

  /// The first entry for the host of `url`, and for `user` if that is given.
  func entry(for url: WebSocketURL, user: String?) -> Entry? {
    guard case .host(let host, _) = url.endpoint else { return nil }
    return entries.first { entry in
      (entry.host == nil || entry.host == host) && (user == nil || entry.user == user)
    }
  }

  /// The words of the file, with the quotes and comments that curl supports.
  private struct Tokens {
    private var rest: Substring
    private(set) var line = 1

    init(_ text: String) {
      rest = Substring(text)
    }

    private mutating func skipSpace() {
      while let first = rest.first {
        if first.isNewline {
          line += 1
        } else if first == "#" {
          rest = rest.drop { !$0.isNewline }
          continue
        } else if !first.isWhitespace {
          return
        }
        rest.removeFirst()
      }
    }

    mutating func next() throws(Problem) -> String? {
      skipSpace()
      guard let first = rest.first else { return nil }
      guard first == "\"" else {
        let token = rest.prefix { !$0.isWhitespace }
        rest = rest.dropFirst(token.count)
        return String(token)
      }
      return try quoted()
    }

    private mutating func quoted() throws(Problem) -> String {
      var token = ""
      rest.removeFirst()
      while let character = rest.popFirst() {
        switch character {
        case "\"": return token
        case "\\":
          guard let escaped = rest.popFirst() else { break }
          token.append(["n": "\n", "r": "\r", "t": "\t"][escaped] ?? escaped)
        case _ where character.isNewline: throw Problem(line: line, message: "unterminated quote")
        default: token.append(character)
        }
      }
      throw Problem(line: line, message: "unterminated quote")
    }

    mutating func value(of word: String) throws(Problem) -> String {
      guard let value = try next() else {
        throw Problem(line: line, message: "\(word) has no value")
      }
      if let (offset, _) = HeaderSyntax.firstForbiddenByte(inValue: value) {
        throw Problem(
          line: line, message: "the \(word) contains a control character (byte \(offset))")
      }
      return value
    }

    /// A macro ends at the next empty line.
    mutating func skipMacro() {
      var isEmpty = false
      while let character = rest.popFirst() {
        guard character.isNewline else {
          if !character.isWhitespace { isEmpty = false }
          continue
        }
        line += 1
        if isEmpty { return }
        isEmpty = true
      }
    }
  }
}
