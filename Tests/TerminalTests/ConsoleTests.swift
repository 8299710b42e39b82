import Glibc
import Terminal
import TestPeers
import Testing

@Suite(.blocking) struct ConsoleTests {
  init() { Console.ignoreBrokenPipes() }

  @Test func streamsAreSeparate() throws {
    let (output, errors) = (try TestPipe(), try TestPipe())
    let console = Console(
      standardInput: output.reader, standardOutput: output.writer, standardError: errors.writer)
    try console.payload([0x00, 0xFF])
    try console.payload(Array("a\n".utf8))
    console.note("note")
    console.status("not shown")
    #expect(errors.read() == "note\n")
    #expect(output.read() == "\0\u{FFFD}a\n")
    #expect(!console.standardInputIsTerminal && !console.standardOutputIsTerminal)
    #expect(!console.standardErrorIsTerminal && console.promptDescriptor == nil)
  }

  @Test func aReaderThatWentAway() throws {
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    close(ends[0])
    defer { close(ends[1]) }
    let console = Console(standardOutput: ends[1], standardError: ends[1])
    #expect(throws: OutputError.closed) { try console.payload([0x61]) }
    console.note("dropped")
  }

  @Test func aFullDisk() throws {
    let full = open("/dev/full", O_WRONLY)
    defer { close(full) }
    let console = Console(standardOutput: full, standardError: full)
    #expect(throws: OutputError.failed(code: ENOSPC, stream: "standard output")) {
      try console.payload([0x61])
    }
    console.note("dropped")
  }

  @Test func aClosedStream() {
    let console = Console(standardOutput: -1, standardError: -1)
    #expect(throws: OutputError.failed(code: EBADF, stream: "standard output")) {
      try console.payload([0x61])
    }
    console.note("dropped")
  }

  @Test func aFullPipeIsWaitedFor() async throws {
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    let reader = ends[0]
    defer { close(reader) }
    _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
    let payload = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0) }
    async let received = Self.readAll(reader)
    try Console(standardOutput: ends[1]).payload(payload)
    close(ends[1])
    #expect(await received == payload)
  }

  private static func readAll(_ descriptor: Int32) async -> [UInt8] {
    var (all, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 10_000))
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count <= 0 { return all }
      all += buffer[..<count]
    }
  }

  @Test func theStatusLineStaysBelow() throws {
    let terminal = try TestTerminal(columns: 10)
    let console = Console(
      standardInput: terminal.program, standardOutput: terminal.program,
      standardError: terminal.program)
    #expect(console.promptDescriptor == terminal.program)
    console.status("0123456789")
    expect(terminal, "\r012345678\u{1b}[K")
    console.note("note")
    expect(terminal, "\r\u{1b}[Knote\r\n\r012345678\u{1b}[K")
    try console.payload(Array("x\n".utf8))
    expect(terminal, "\r\u{1b}[Kx\r\n\r012345678\u{1b}[K")
    console.status(nil)
    console.note("end")
    expect(terminal, "\r\u{1b}[Kend\r\n")
  }

  private func expect(_ terminal: TestTerminal, _ text: String) {
    #expect(terminal.read(like: text) == text)
  }

  @Test func thePromptBelongsOnATerminal() throws {
    let terminal = try TestTerminal()
    let pipe = try TestPipe()
    let onErrors = Console(
      standardInput: terminal.program, standardOutput: pipe.writer, standardError: terminal.program)
    #expect(onErrors.promptDescriptor == terminal.program)
    let nobodyTypes = Console(
      standardInput: pipe.reader, standardOutput: terminal.program,
      standardError: terminal.program)
    #expect(nobodyTypes.promptDescriptor == nil)
  }

  @Test func anEditorThatDoesNotRunTakesNothing() throws {
    let terminal = try TestTerminal()
    let console = Console(
      standardInput: terminal.program, standardOutput: terminal.program,
      standardError: terminal.program)
    let editor = LineEditor(prompt: "> ", output: terminal.program)
    console.attach(editor)
    console.note("still written")
    #expect(terminal.read(like: "still written\r\n") == "still written\r\n")
    editor.stop()
    #expect(!editor.suspend())
  }
}
