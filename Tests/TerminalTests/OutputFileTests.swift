import Glibc
import Terminal
import TestPeers
import Testing

/// Row 1 of the inputs from real use: only a regular file is replaced; everything else is written to.
@Suite(.blocking) struct OutputFileTests {
  private let directory: String

  init() throws {
    directory = "/tmp/wscope-output-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    guard mkdir(directory, 0o700) == 0 else { throw SystemError(code: errno) }
  }

  private func path(_ name: String) -> String { "\(directory)/\(name)" }

  private func remove() { for name in names { unlink(path(name)) }; rmdir(directory) }

  private var names: [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  private func text(_ name: String) -> String {
    let descriptor = open(path(name), O_RDONLY)
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 100)
    let count = read(descriptor, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }

  private func mode(_ name: String) -> UInt32 {
    var status = stat()
    return lstat(path(name), &status) == 0 ? status.st_mode : 0
  }

  private func write(_ text: String, _ name: String, mode: UInt32 = 0o644) throws {
    try OutputFile.write(Array(text.utf8), to: path(name), mode: mode)
  }

  @Test func aNewFileHasTheModeAndNoTraceIsLeft() throws {
    defer { remove() }
    try write("new", "file", mode: 0o600)
    #expect(text("file") == "new" && mode("file") & 0o777 == 0o600)
    #expect(names == ["file"])
  }

  @Test func aRegularFileIsReplacedAsAWholeAndKeepsItsMode() throws {
    defer { remove() }
    try write("old", "file")
    chmod(path("file"), 0o640)
    let reader = open(path("file"), O_RDONLY)
    defer { close(reader) }
    try write("new and longer", "file", mode: 0o600)
    #expect(text("file") == "new and longer" && mode("file") & 0o777 == 0o640)
    // Who had it open still reads the old contents, whole.
    var bytes = [UInt8](repeating: 0, count: 10)
    let count = read(reader, &bytes, bytes.count)
    #expect(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self) == "old")
    #expect(names == ["file"])
  }

  @Test func aLinkIsFollowed() throws {
    defer { remove() }
    try write("old", "target")
    symlink("target", path("link"))
    symlink("made", path("dangling"))
    try write("through", "link")
    try write("made", "dangling")
    #expect(text("target") == "through" && text("made") == "made")
    #expect(mode("link") & S_IFMT == S_IFLNK && mode("dangling") & S_IFMT == S_IFLNK)
  }

  @Test func anotherHardLinkSeesTheNewContents() throws {
    defer { remove() }
    try write("old", "one")
    link(path("one"), path("two"))
    try write("new", "one")
    #expect(text("two") == "new")
  }

  @Test func aFIFOIsWrittenToAndStaysOne() throws {
    defer { remove() }
    mkfifo(path("fifo"), 0o600)
    let reader = open(path("fifo"), O_RDONLY | O_NONBLOCK)
    defer { close(reader) }
    try write("through", "fifo")
    var bytes = [UInt8](repeating: 0, count: 10)
    let count = read(reader, &bytes, bytes.count)
    #expect(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self) == "through")
    #expect(mode("fifo") & S_IFMT == S_IFIFO)
  }

  /// A device of the test's own: that of the machine is never touched. Making one takes privileges.
  @Test(.enabled(if: geteuid() == 0)) func aDeviceIsWrittenToAndStaysOne() throws {
    defer { remove() }
    guard mknod(path("null"), S_IFCHR | 0o666, dev_t(1 << 8 | 3)) == 0 else { return }
    let before = mode("null")
    do throws(SystemError) {
      try OutputFile.write([1, 2, 3], to: path("null"), mode: 0o644)
    } catch {
      // A file system without devices (nodev) refuses to open it.
      #expect(error.code == EACCES || error.code == EPERM || error.code == ENXIO)
    }
    #expect(mode("null") == before)
  }

  /// root may write to it all the same.
  @Test(.enabled(if: geteuid() != 0)) func aFileThatMayNotBeWrittenIsLeftAlone() throws {
    defer { remove() }
    try write("old", "file")
    chmod(path("file"), 0o400)
    #expect(throws: SystemError(code: EACCES)) { try write("new", "file") }
    #expect(text("file") == "old")
  }

  @Test func whatCannotBeWrittenLeavesNoTrace() {
    defer { remove() }
    #expect(throws: SystemError(code: ENOENT)) {
      try OutputFile.write([1], to: path("none/file"), mode: 0o644)
    }
    #expect(names.isEmpty)
  }
}
