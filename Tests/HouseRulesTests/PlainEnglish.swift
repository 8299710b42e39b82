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
      pattern: #"\b(strangers?|visitors?|the lobby|goodbyes?)\b"#,
      cure: "peer, client, pending sockets, Close",
      broken: ["the visitors of the server", "sockets in the lobby"],
      // The name of a room, which users type.
      kept: ["strange", "room lobby"]),
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

  /// Compiled once: every line of every source is searched.
  static let compiled: Result<(prose: [Search], names: [Search]), Pattern.Failure> = Result {
    () throws(Pattern.Failure) in
    (try ofProse.map(Search.init), try ofNames.map(Search.init))
  }

  struct Search {
    var pattern: Pattern
    var cure: String

    init(_ habit: Habit) throws(Pattern.Failure) {
      (pattern, cure) = (try Pattern(habit.pattern), habit.cure)
    }

    func finds(_ text: String) -> Bool {
      if case .notFound = pattern.find(in: text) { false } else { true }
    }
  }
}

extension HouseRule {
  /// Prose is what a source has beside its code: the texts that users see, and the comments.
  static let plainEnglish = HouseRule(
    name: "texts, comments and names are plain English",
    breaches: { file in
      guard !file.path.hasSuffix("/ManualText.swift") else { return [] }
      guard case .success(let habits) = Habit.compiled else { return ["an invalid pattern"] }
      var breaches: [String] = []
      for (index, line) in file.prose.enumerated() where line.contains(where: { $0 != " " }) {
        let lowered = line.lowercased()
        for habit in habits.prose where habit.finds(lowered) {
          breaches.append("\(index + 1): \(line.drop { $0 == " " }); better: \(habit.cure)")
        }
      }
      for word in Set(file.words.map(\.text)) {
        for habit in habits.names where habit.finds(word) {
          breaches.append("\(word); better: \(habit.cure)")
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
