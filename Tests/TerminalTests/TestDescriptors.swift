import Glibc
import Testing

/// A pipe whose ends are closed with the test.
final class TestPipe {
  let reader: Int32
  private(set) var writer: Int32

  init() throws {
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    (reader, writer) = (ends[0], ends[1])
  }

  deinit {
    close(reader)
    closeWriter()
  }

  func closeWriter() {
    if writer >= 0 { close(writer) }
    writer = -1
  }

  func write(_ text: String) {
    let bytes = Array(text.utf8)
    _ = Glibc.write(writer, bytes, bytes.count)
  }

  /// What was written to it so far, which must be something.
  func read() -> String { readSome(reader) }
}

/// A terminal whose other side the test is.
final class TestTerminal {
  let program: Int32
  private let person: Int32

  init(columns: Int = 80) throws {
    var size = winsize(ws_row: 24, ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
    var (master, slave): (Int32, Int32) = (-1, -1)
    try #require(openpty(&master, &slave, nil, nil, &size) == 0)
    (person, program) = (master, slave)
  }

  deinit {
    close(program)
    close(person)
  }

  /// The next bytes written to it, as many as `expected` has: a terminal hands out what two writes
  /// wrote in one piece or in two. Fewer after five seconds.
  func read(like expected: String) -> String {
    var text = ""
    var waiting = pollfd(fd: person, events: Int16(POLLIN), revents: 0)
    while text.utf8.count < expected.utf8.count, poll(&waiting, 1, 5000) > 0 {
      text += readSome(person)
    }
    return text
  }
}

private func readSome(_ descriptor: Int32) -> String {
  var buffer = [UInt8](repeating: 0, count: 64 * 1024)
  let count = Glibc.read(descriptor, &buffer, buffer.count)
  return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
}

/// A directory that goes away with the test.
final class TemporaryDirectory {
  let path: String

  init() throws {
    var name = Array("/tmp/wscope-terminal-XXXXXX".utf8CString)
    try #require(mkdtemp(&name) != nil)
    path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for name in ["state/wscope/history", "history", "link", "target"] { unlink(path + "/" + name) }
    for name in ["state/wscope", "state", ""] { rmdir(path + "/" + name) }
  }
}

/// The same "random" numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    // SplitMix64.
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
