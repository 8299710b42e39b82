/// What the Tab key offers: the words that go on from what is typed.
struct Completions {
  /// Each begins with the word that is typed.
  private(set) var words: [String] = []
  private var areFileNames = false

  init() {}

  /// - Parameters:
  ///   - completion: what the session has to offer.
  ///   - line: what is typed.
  ///   - word: the part of it that is to be replaced, behind the last space before the cursor.
  ///   - start: where it begins, in bytes.
  ///   - cursor: where the cursor is, in bytes.
  ///   - home: what `~` stands for.
  init(
    _ completion: LineEditor.Completion, line: String, word: String, at start: Int, cursor: Int,
    home: String? = FileNames.home
  ) {
    switch completion {
    case .words(let offered):
      words = offered.filter { $0.hasPrefix(word) }
    case .fileNames(let from):
      areFileNames = true
      guard from <= start, cursor >= from else { return }
      let typed = String(decoding: line.utf8.prefix(cursor).dropFirst(from), as: UTF8.self)
      // Of a name with spaces only what is behind the last one is replaced.
      words = FileNames.completions(of: typed, home: home).map {
        String(decoding: $0.utf8.dropFirst(start - from), as: UTF8.self)
      }
    }
  }

  /// The words as they are listed: of a path only the last part.
  func names(of words: [String]) -> [String] {
    guard areFileNames else { return words }
    return words.map { word in
      let isDirectory = word.hasSuffix("/")
      return (word.split(separator: "/").last.map(String.init) ?? word) + (isDirectory ? "/" : "")
    }
  }
}
