import Glibc
import Terminal
import TestPeers
import Testing

@Suite(.blocking) struct MessageSplitterTests {
  /// The messages are the same however the input is cut into chunks.
  private func check(
    _ boundary: MessageSplitter.Boundary, _ input: String, _ expected: [String],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let bytes = Array(input.utf8)
    var cuts: [[ArraySlice<UInt8>]] = [bytes.map { [$0] }, [bytes[...]]]
    for first in 0...bytes.count {
      for second in first...bytes.count {
        cuts.append([bytes[..<first], bytes[first..<second], bytes[second...]])
      }
    }
    for chunks in cuts {
      var splitter = MessageSplitter(boundary)
      var messages = chunks.flatMap { splitter.feed(Array($0)) }
      if let last = splitter.finish() { messages.append(last) }
      #expect(
        messages.map { String(decoding: $0, as: UTF8.self) } == expected,
        sourceLocation: sourceLocation)
    }
  }

  @Test func lines() {
    check(.newline, "", [])
    check(.newline, "a", ["a"])
    check(.newline, "a\n", ["a"])
    check(.newline, "a\nb", ["a", "b"])
    check(.newline, "\n", [""])
    check(.newline, "a\n\nb\n", ["a", "", "b"])
    check(.newline, "a\r\nb\r\n", ["a", "b"])
    check(.newline, "\r\n\r\n", ["", ""])
    check(.newline, "a\rb\r\r\nc\r", ["a\rb\r", "c\r"])
    check(.newline, "a\0b\n", ["a\0b"])
    check(.newline, "häß€😀\n", ["häß€😀"])
  }

  @Test func betweenNulBytes() {
    check(.null, "", [])
    check(.null, "a\nb\r\n\0c\0", ["a\nb\r\n", "c"])
    check(.null, "\0\0", ["", ""])
    check(.null, "a\0b", ["a", "b"])
  }

  @Test func whole() {
    check(.endOfInput, "", [])
    check(.endOfInput, "a\nb\0c\r\n", ["a\nb\0c\r\n"])
  }
}

@Suite(.blocking) struct StandardInputTests {
  @Test func batchesHoldEverythingThatHasCome() async throws {
    let pipe = try TestPipe()
    let input = StandardInput(descriptor: pipe.reader, boundary: .newline)
    pipe.write("a\nb\nc")
    #expect(try await input.nextBatch() == [Array("a".utf8), Array("b".utf8)])
    pipe.write("d\n")
    #expect(try await input.nextBatch() == [Array("cd".utf8)])
    pipe.write("last")
    pipe.closeWriter()
    #expect(try await input.nextBatch() == [Array("last".utf8)])
    #expect(try await input.nextBatch() == nil)
    #expect(try await input.nextBatch() == nil)
  }

  @Test func everyLineOfALargeFileArrives() async throws {
    let directory = try TemporaryDirectory()
    let file = open(directory.path + "/target", O_RDWR | O_CREAT, 0o600)
    defer { close(file) }
    let lines = (0..<100_000).map { "line \($0)" }
    let text = Array(lines.joined(separator: "\n").utf8)
    #expect(write(file, text, text.count) == text.count)
    lseek(file, 0, SEEK_SET)
    let input = StandardInput(descriptor: file, boundary: .newline, readAhead: 100_000)
    var received: [String] = []
    while let batch = try await input.nextBatch() {
      received += batch.map { String(decoding: $0, as: UTF8.self) }
    }
    #expect(received == lines)
  }

  @Test func noInput() async throws {
    let null = open("/dev/null", O_RDONLY)
    defer { close(null) }
    #expect(try await StandardInput(descriptor: null, boundary: .newline).nextBatch() == nil)
    #expect(try await StandardInput(descriptor: -1, boundary: .newline).nextBatch() == nil)
  }

  @Test func aDirectoryIsAnError() async throws {
    let directory = open("/", O_RDONLY)
    defer { close(directory) }
    await #expect(throws: SystemError(code: EISDIR)) {
      try await StandardInput(descriptor: directory, boundary: .newline).nextBatch()
    }
  }

  @Test func waitingEndsWhenCancelled() async throws {
    let pipe = try TestPipe()
    let input = StandardInput(descriptor: pipe.reader, boundary: .newline)
    let task = Task { try await input.nextBatch() }
    task.cancel()
    #expect(try await task.value == nil)
    pipe.closeWriter()
  }
}
