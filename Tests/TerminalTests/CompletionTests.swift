import Glibc
import TestPeers
import Testing

@testable import Terminal

@Suite(.blocking) struct CompletionTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    for name in ["note.txt", "my file.txt", "my folder", ".hidden", "bad\u{1b}[2Jname", "übung"] {
      let path = directory.path + "/" + name
      if name == "my folder" {
        mkdir(path, 0o700)
      } else {
        close(open(path, O_WRONLY | O_CREAT, 0o600))
      }
    }
  }

  private func names(_ typed: String) -> [String] {
    FileNames.completions(of: directory.path + "/" + typed, home: nil).map {
      String($0.dropFirst(directory.path.count + 1))
    }
  }

  @Test func namesOfFiles() {
    #expect(names("n") == ["note.txt"])
    #expect(names("my") == ["my file.txt", "my folder/"])
    #expect(names("my folder/") == [])
    #expect(names(".h") == [".hidden"])
    #expect(names("x") == [])
    #expect(names("ü") == ["übung"])
    #expect(FileNames.completions(of: "/nonexistent/", home: nil) == [])
  }

  /// Such a name would go into the line, and from there to the terminal.
  @Test func namesThatATerminalWouldObeyAreLeftOut() {
    #expect(names("").sorted() == ["my file.txt", "my folder/", "note.txt", "übung"])
    #expect(names("bad") == [])
  }

  @Test func theHomeDirectory() {
    #expect(FileNames.expanded("~/a", home: "/h") == "/h/a")
    #expect(FileNames.expanded("~", home: "/h") == "/h")
    #expect(FileNames.expanded("~you/a", home: "/h") == "~you/a")
    #expect(FileNames.expanded("a/~", home: "/h") == "a/~")
    #expect(FileNames.expanded("~/a", home: nil) == "~/a")
    #expect(FileNames.completions(of: "~/no", home: directory.path) == ["~/note.txt"])
  }

  /// Readline replaces the last word; the path begins before it.
  @Test func aPathMayHaveSpaces() {
    let line = "/file \(directory.path)/my f"
    let start = line.utf8.count - 1
    let completions = Completions(
      .fileNames(from: 6), line: line, word: "f", at: start, cursor: line.utf8.count, home: nil)
    #expect(completions.words == ["file.txt", "folder/"])
    #expect(completions.names(of: ["a/b/file.txt", "a/folder/"]) == ["file.txt", "folder/"])
  }

  @Test func wordsThatFit() {
    let completions = Completions(
      .words(["/ping", "/pong", "/quit"]), line: "/p", word: "/p", at: 0, cursor: 2, home: nil)
    #expect(completions.words == ["/ping", "/pong"])
  }
}

@Suite(.blocking) struct HistoryPlaceTests {
  private let directory: TemporaryDirectory
  private var path: String { directory.path + "/history" }

  init() throws { directory = try TemporaryDirectory() }

  private func history(_ endpoint: String?) -> History {
    let history = History(path: path)
    history.enter(endpoint)
    return history
  }

  @Test func whatWasTypedHereComesLast() throws {
    try history("ws://a/").append("at a")
    try history("ws://b/").append("at b")
    try history(nil).append("nowhere")
    #expect(try history("ws://a/").load() == ["at b", "nowhere", "at a"])
    #expect(try history("ws://b/").load() == ["at a", "nowhere", "at b"])
    #expect(try history("ws://c/").load() == ["at a", "at b", "nowhere"])
    #expect(try history(nil).entries().map(\.endpoint) == ["ws://a/", "ws://b/", nil])
  }

  @Test func theSameLineElsewhereIsKept() throws {
    let history = history("ws://a/")
    try history.append("x")
    try history.append("x")
    history.enter("ws://b/")
    try history.append("x")
    #expect(try history.entries().map(\.endpoint) == ["ws://a/", "ws://b/"])
  }

  @Test func placesAreTheLatestVisitedFirst() throws {
    for endpoint in ["ws://a/", "ws://b/", "ws://c/", "ws://a/"] { try history(endpoint).visit() }
    try history("ws://b/").append("typed")
    #expect(try history(nil).places() == ["ws://b/", "ws://a/", "ws://c/"])
    #expect(try history(nil).load() == ["typed"])
  }

  @Test func aLineThatLooksLikeAPlaceIsALine() throws {
    let lines = ["\\@ws://a/ x", "@", "\\\\@", "a\n\\@b c"]
    let history = history("ws://a/")
    for line in lines { try history.append(line) }
    #expect(try history.entries() == lines.map { History.Entry(endpoint: "ws://a/", line: $0) })
    let without = self.history(nil)
    try without.append("\\@ws://b/ y")
    #expect(try without.entries().last == History.Entry(endpoint: nil, line: "\\@ws://b/ y"))
  }
}
