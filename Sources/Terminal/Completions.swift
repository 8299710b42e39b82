/// The candidates for the Tab key: words that continue the typed text.
struct Completions {
  /// Each begins with the typed word.
  private(set) var words: [String] = []
  private var areFileNames = false

  init() {}

  /// - Parameters:
  ///   - completion: the session's offers.
  ///   - line: the typed line.
  ///   - word: the part of it to replace, after the last space before the cursor.
  ///   - start: the start of `word` in the line, in bytes.
  ///   - cursor: the position of the cursor in the line, in bytes.
  ///   - home: the directory that `~` means.
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
      // In a name with spaces, only the part after the last one is replaced.
      words = FileNames.completions(of: typed, home: home).map {
        String(decoding: $0.utf8.dropFirst(start - from), as: UTF8.self)
      }
    }
  }

  /// The words in the form in which they are listed: for a path, only the last component.
  func names(of words: [String]) -> [String] {
    guard areFileNames else { return words }
    return words.map { word in
      let isDirectory = word.hasSuffix("/")
      return (word.split(separator: "/").last.map(String.init) ?? word) + (isDirectory ? "/" : "")
    }
  }
}
