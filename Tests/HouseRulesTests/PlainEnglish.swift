import Conversation

/// Habits of language that this project has dropped (STYLE.md section 1), each as a row.
struct Habit: Sendable {
  /// PCRE2.
  var pattern: String
  /// What to write instead.
  var cure: String
  var broken: [String]
  var kept: [String]

  static let ofProse = [
    Habit(
      pattern: #"\bwho(m|ever)\b"#, cure: "which, the client, the caller",
      broken: ["URL of the server whom to load", "Whoever reads it"], kept: ["whose", "whole"]),
    Habit(
      pattern: #"(?<!there )\b(is|are|was|were) no (?!longer|more|other|further|use|need)[a-z]"#,
      cure: "is not a, unknown, invalid",
      broken: ["x is no port", "these are no commands"],
      kept: ["there is no limit", "it is no longer open", "this is not an answer"]),
    Habit(
      pattern: #"\b(told|tells?) (of|about)\b"#, cure: "reported, logged, printed",
      broken: ["what is told of", "it tells about the close"], kept: ["told apart"]),
    Habit(
      pattern: #"\bstands? (in|at|before|behind|alone|above|below|between|beside)\b"#,
      cure: "is", broken: ["it stands behind the head"], kept: ["stands for", "understands"]),
    Habit(
      pattern: #"\b(exclude each other|so long until|go(es)? without an?)\b"#,
      cure: "cannot be used together, until, does not take",
      broken: ["--a and --b exclude each other"], kept: ["go without"]),
    Habit(
      pattern: #"\b(strangers?|visitors?|lobby|goodbyes?)\b"#,
      cure: "peer, client, pending sockets, Close", broken: ["the visitors of the server"],
      kept: ["strange"]),
  ]

  static let ofNames = [
    Habit(
      pattern: #"^(most|tell|told)[A-Z]"#, cure: "max, report, logged",
      broken: ["mostClients", "tellDangers", "toldPerSecond"], kept: ["most", "almostFull"]),
    Habit(
      pattern: #"(Lobby|Visitor|Reception|Station|Goodbye)"#,
      cure: "PendingSockets, RequestHandler, ClientRegistry, Close",
      broken: ["VisitorList", "theLobby"], kept: ["Listener"]),
  ]

  func isFound(in text: String) throws -> Bool {
    if case .found = try Pattern(pattern).find(in: text) { true } else { false }
  }
}

extension HouseRule {
  /// Prose is what a source has beside its code: the texts that users see, and the comments.
  static let plainEnglish = HouseRule(
    name: "texts, comments and names are plain English",
    breaches: { file in
      guard !file.path.hasSuffix("/ManualText.swift") else { return [] }
      var breaches: [String] = []
      for (index, line) in file.prose.enumerated() where line.contains(where: { $0 != " " }) {
        for habit in Habit.ofProse where (try? habit.isFound(in: line.lowercased())) ?? true {
          breaches.append("\(index + 1): \(line.drop { $0 == " " }); better: \(habit.cure)")
        }
      }
      for word in file.words {
        for habit in Habit.ofNames where (try? habit.isFound(in: word.text)) ?? true {
          breaches.append("\(word.line): \(word.text); better: \(habit.cure)")
        }
      }
      return breaches
    },
    broken: Habit.ofProse.flatMap(\.broken).flatMap {
      [Example("wscope/A.swift", "let a = \"\($0)\""), Example("Terminal/A.swift", "/// \($0)")]
    } + Habit.ofNames.flatMap(\.broken).map { Example("wscope/A.swift", "let \($0) = 1") },
    kept: Habit.ofProse.flatMap(\.kept).flatMap {
      [Example("wscope/A.swift", "let a = \"\($0)\""), Example("Terminal/A.swift", "/// \($0)")]
    } + Habit.ofNames.flatMap(\.kept).map { Example("wscope/A.swift", "let \($0) = 1") }
      + [Example("wscope/A.swift", "whom.is(no: visitor)")])
}

extension SourceFile {
  /// Its lines with the code blanked out: comments and the texts of strings.
  var prose: [String] {
    let bytes = zip(text.utf8, code.utf8).map { byte, code in
      byte == code && byte != UInt8(ascii: "\n") ? UInt8(ascii: " ") : byte
    }
    return String(decoding: bytes, as: UTF8.self)
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }
}
