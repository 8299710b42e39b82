import Glibc
import Terminal
import TestPeers
import Testing

@Suite(.blocking) struct HistoryTests {
  private let directory: TemporaryDirectory
  private var path: String { directory.path + "/history" }

  init() throws { directory = try TemporaryDirectory() }

  private func mode(_ path: String) -> mode_t {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
  }

  @Test(arguments: [
    (["XDG_STATE_HOME": "/s", "HOME": "/h"], "/s/wscope/history"),
    (["XDG_STATE_HOME": "", "HOME": "/h"], "/h/.local/state/wscope/history"),
    (["XDG_STATE_HOME": "relative", "HOME": "/h"], "/h/.local/state/wscope/history"),
    (["HOME": ""], nil), ([:], nil),
  ])
  func endpoint(environment: [String: String], path: String?) {
    #expect(History.path(environment: environment) == path)
  }

  @Test func entriesSurvive() throws {
    let entries = ["a", "two\nlines", "back\\slash\\n", "tab\tand\rreturn", "häß€😀", "\\", "a"]
    let history = History(path: path)
    #expect(try history.load() == [])
    for entry in entries { try history.append(entry) }
    #expect(try History(path: path).load() == entries)
  }

  @Test func someLinesAreNotKept() throws {
    let history = History(path: path, redact: { $0 == "password" ? "***" : $0 })
    for line in ["a", "a", "", " secret", "b", "a", "password"] { try history.append(line) }
    #expect(try History(path: path).load() == ["a", "b", "a", "***"])
    let next = History(path: path)
    _ = try next.load()
    try next.append("***")
    #expect(try History(path: path).load() == ["a", "b", "a", "***"])
  }

  @Test func onlyTheOwnerCanRead() throws {
    let before = umask(0)
    defer { umask(before) }
    let deep = directory.path + "/state/wscope/history"
    try History(path: deep).append("a")
    #expect(mode(deep) == 0o600)
    #expect(mode(directory.path + "/state") == 0o700)
    #expect(mode(directory.path + "/state/wscope") == 0o700)
    chmod(deep, 0o644)
    try History(path: deep).append("b")
    #expect(mode(deep) == 0o600)
  }

  @Test func aSymbolicLinkIsRefused() throws {
    let target = directory.path + "/target"
    close(open(target, O_WRONLY | O_CREAT, 0o600))
    symlink(target, path)
    let refusal = HistoryError.notRegular(path: path)
    #expect(throws: refusal) { try History(path: path).append("a") }
    #expect(throws: refusal) { try History(path: path).load() }
    unlink(path)
    mkfifo(path, 0o600)
    #expect(throws: refusal) { try History(path: path).append("a") }
  }

  @Test func aPlaceThatCannotBeWrittenIsAnError() {
    let path = "/proc/nowhere/history"
    #expect(throws: HistoryError.failed(path: path, SystemError(code: ENOENT))) {
      try History(path: path).append("a")
    }
  }

  @Test func theOldestEntriesGo() throws {
    let history = History(path: path, limit: 10)
    for number in 1...30 { try history.append("\(number)") }
    #expect(try History(path: path, limit: 10).load() == (21...30).map(String.init))
    // The file was cut on that occasion.
    #expect(try History(path: path, limit: 100).load() == (21...30).map(String.init))
    #expect(mode(path) == 0o600)
  }

  @Test func sessionsSideBySideLoseNothing() async throws {
    let path = path
    try await withThrowingTaskGroup(of: Void.self) { group in
      for session in 0..<8 {
        group.addTask {
          let history = History(path: path, limit: 500)
          for line in 0..<50 {
            try history.append("\(session)-\(line)")
            if line % 10 == 0 { _ = try History(path: path, limit: 500).load() }
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(Set(try History(path: path, limit: 500).load()).count == 400)
  }
}
