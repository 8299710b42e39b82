import Glibc
import TestPeers
import Testing

/// The commands at the prompt, on the screen and on the wire.
@Suite(.blocking) struct PromptCommandTests {
  private let desk: PromptDesk
  private var peer: PushPeer { desk.peer }
  private var home: String { desk.home }

  init() throws { desk = try PromptDesk("commands") }

  @Test func pauseHoldsAndCounts() throws {
    let terminal = try desk.connect()
    try terminal.type("/pause\rtyped meanwhile")
    try terminal.wait(for: "the note") { $0.cursorLine == "[paused, 0 held] > typed meanwhile" }
    for number in 1...3 { peer.say("held \(number)") }
    try terminal.wait(for: "the count") { $0.cursorLine == "[paused, 3 held] > typed meanwhile" }
    #expect(!terminal.screen.everything.contains("< held"))
    try terminal.type("\u{15}/pause\r")
    try terminal.wait(forText: "< held 1\n< held 2\n< held 3\n>")
    try desk.quit(terminal)
  }

  @Test func theFilterShowsWhatMatches() throws {
    let terminal = try desk.connect()
    try terminal.type("/filter ^err\r")
    try terminal.wait(forText: "* showing only messages that match \"^err\"")
    for text in ["info one", "error two", "info three"] { peer.say(text) }
    try terminal.wait(for: "one shown, two counted") { screen in
      screen.text.contains("< error two") && screen.cursorLine == "[2 hidden] >"
    }
    #expect(!terminal.screen.everything.contains("info"))
    try terminal.type("/filter (\r")
    try terminal.wait(forText: "! /filter: not a regular expression")
    try terminal.type("/filter\r")
    try terminal.wait(forText: "* showing all messages; 2 were hidden")
    peer.say("info four")
    try terminal.wait(forText: "< info four")
    try desk.quit(terminal)
  }

  @Test func nothingIsLostFromARecordingAndAPipe() throws {
    let recording = home + "/all.jsonl"
    let output = home + "/output"
    // The prompt is on standard error, messages go to a file.
    let terminal = try PseudoTerminal(
      "/bin/sh", ["-c", "exec \"$W\" connect \"$URL\" --record \"$R\" >\"$O\""],
      environment: Wscope.environment([
        "HOME": home, "W": Wscope.path, "URL": peer.url, "R": recording, "O": output,
      ]))
    try terminal.wait(for: "the prompt") { $0.cursorLine == ">" && $0.cursorColumn == 2 }
    try terminal.type("/pause\r/filter nothing\r")
    try terminal.wait(for: "the notes") { $0.cursorLine.contains("hidden") }
    let count = 20_000
    peer.push((1...count).flatMap { RawPeer.frame(0x1, Array("m\($0)".utf8)) })
    try terminal.type("/ping\r")
    try terminal.wait(forText: "* pong after", deadline: 120)
    try desk.quit(terminal)
    let expected = (1...count).map { "m\($0)" }
    #expect(try desk.text(output).split(separator: "\n").map(String.init) == expected)
    let recorded = try desk.text(recording).split(separator: "\n").filter { $0.contains("\"in\"") }
    #expect(recorded.count { $0.contains("\"text\":\"m") } <= count)
    let last = try Wscope.shell("grep -c '\"text\":\"m' '\(recording)'").outputText
    #expect(last == "\(count)\n")
  }

  @Test func filesAreSentWithProgress() throws {
    let terminal = try desk.connect(columns: 200)
    try desk.write("a text\nof two lines", to: home + "/small one.txt")
    try terminal.type("/file \(home)/small one.txt\r")
    try terminal.wait(forText: "small one.txt: text, 19 B in")
    let command = try Wscope.shell(
      "head -c 8388608 /dev/zero | tr '\\0' x >'\(home)/large'; printf '\\377' >'\(home)/bad'")
    #expect(command.exitCode == 0)
    try terminal.type("/file \(home)/bad\r")
    try terminal.wait(
      forText: "bad is not valid UTF-8: byte ff at offset 0, \"\\xff\"; /file \(home)/bad binary")
    try terminal.type("/file \(home)/bad binary\r")
    try terminal.wait(forText: "bad: binary, 1 B in")
    try terminal.type("/file \(home)\r")
    try terminal.wait(forText: "is not a regular file")
    peer.setReading(false)
    try terminal.type("/file \(home)/large\rtyped while it goes on its way")
    try terminal.wait(for: "the progress", deadline: 60) { screen in
      screen.cursorLine.hasPrefix("[sending, ")
        && screen.cursorLine.hasSuffix("%] > typed while it goes on its way")
    }
    peer.setReading(true)
    try terminal.wait(forText: "large: text, 8 MiB in", deadline: 60)
    try peer.wait(messages: 3, deadline: 60)
    #expect(peer.messages[0] == "a text\nof two lines")
    #expect(peer.messages[2].utf8.count == 8_388_608)
    try desk.quit(terminal)
  }

  @Test func theEditorWritesAMessage() throws {
    let editor = home + "/editor"
    try desk.write(
      "#!/bin/sh\ncat \"$1\" >\"$HOME/before\"\nread answer </dev/tty\necho \"$answer\" >\"$1\"\n",
      to: editor)
    chmod(editor, 0o700)
    let terminal = try desk.connect(environment: ["EDITOR": editor])
    try terminal.type("/edit beginning\r")
    let deadline = Deadline(seconds: 10)
    while access(home + "/before", R_OK) != 0, !deadline.hasPassed { usleep(10_000) }
    peer.say("comes meanwhile")
    try terminal.type("written in the editor\r")
    try peer.wait(messages: 1)
    #expect(peer.messages == ["written in the editor"])
    #expect(try desk.text(home + "/before") == "beginning")
    try terminal.wait(forText: "< comes meanwhile\n")
    try terminal.wait(forText: "> written in the editor\n")
    try terminal.type("/edit\r")
    usleep(200_000)
    try terminal.type("\r")
    try terminal.wait(forText: "* the text is empty; nothing was sent")
    try terminal.type("the prompt is whole")
    try terminal.wait(for: "the line") { $0.cursorLine == "> the prompt is whole" }
    try desk.quit(terminal)
    // What was written is not lost with the connection.
    let lost = try desk.connect(environment: ["EDITOR": editor], columns: 200)
    try lost.type("/edit\r")
    usleep(300_000)
    peer.drop()
    usleep(300_000)
    try lost.type("a long text\r")
    try lost.wait(forText: "* the text is in /tmp/wscope-")
    #expect(try lost.waitForEnd() == .exited(56))
    let kept = try #require(
      lost.screen.everything.split(separator: " ").first { $0.hasPrefix("/tmp/wscope-") })
    let path = String(kept.prefix { !$0.isWhitespace })
    #expect(try desk.text(path) == "a long text\n")
    unlink(path)
    let without = try desk.connect()
    try without.type("/edit\r")
    try without.wait(forText: "! /edit: neither VISUAL nor EDITOR is set")
    try desk.quit(without)
  }

  @Test func messagesAreSavedWhole() throws {
    let terminal = try desk.connect(columns: 200)
    try terminal.type("/save \(home)/none\r")
    try terminal.wait(forText: "! /save: no message has arrived yet")
    let long = String(repeating: "0123456789", count: 7000)
    peer.say("first")
    peer.say(long)
    try terminal.wait(forText: "... 4464 more bytes; /save FILE 2 writes all of it")
    try terminal.type(
      "/save \(home)/long\r/save \(home)/first 1\r/save \(home)/first 1\r/save \(home)/x 7\r")
    try terminal.wait(forText: "* saved message 2, 68.4 KiB, to \(home)/long")
    try terminal.wait(forText: "! /save: \(home)/first already exists")
    try terminal.wait(forText: "! /save: only messages 1 to 2 are still kept")
    #expect(try desk.text(home + "/long") == long)
    #expect(try desk.text(home + "/first") == "first")
    try desk.quit(terminal)
  }

  @Test func timesAndSizes() throws {
    let terminal = try desk.connect(["--timestamps", "-vv", "--no-compress"])
    peer.say("hello")
    try terminal.wait(forText: "* < frame text, 5 B\n")
    try terminal.wait(forText: "Z < 5 B, 7 B on the wire (140 %)  hello\n")
    try terminal.type("/timestamps off\r/rtt on\rasking\r")
    try terminal.wait(forText: "* > frame text, 6 B, masked\n")
    peer.say("answer")
    try terminal.wait(for: "a time") { screen in
      screen.text.contains("answer (rtt ") && screen.text.contains("s)\n")
    }
    try terminal.type("/info\r")
    try terminal.wait(forText: "* 2 messages received, 11 B, 15 B on the wire")
    try terminal.wait(forText: "* 1 message sent, 6 B, 12 B on the wire")
    try terminal.wait(forText: "* no compression")
    try terminal.wait(forText: "* open for ")
    try terminal.type("/headers\r")
    try terminal.wait(forText: "* > GET / HTTP/1.1")
    try terminal.wait(forText: "* < HTTP/1.1 101 Switching Protocols")
    try desk.quit(terminal)
  }

  @Test func JSONAndItsColors() throws {
    let terminal = try desk.connect(["--json"])
    peer.say(#"{"z":1.50,"a":[true,null,"x"]}"#)
    try terminal.wait(
      forText:
        "< {\n    \"z\": 1.50,\n    \"a\": [\n      true,\n      null,\n      \"x\"\n    ]\n  }\n")
    let written = String(decoding: terminal.transcript, as: UTF8.self)
    #expect(written.contains("\u{1b}[36m\"z\"\u{1b}[0m: \u{1b}[33m1.50\u{1b}[0m"))
    try terminal.type("/json off\r")
    try terminal.wait(forText: "* JSON pretty-printing off")
    peer.say("{\"b\":1}")
    try terminal.wait(forText: "< {\"b\":1}\n")
    try desk.quit(terminal)
  }

  @Test func binaryIsTypedInHexAndBase64() throws {
    let terminal = try desk.connect()
    try terminal.type("/hex 41 42\r/base64 Q0Q=\r/repeat 3 x\r")
    try peer.wait(messages: 5)
    #expect(peer.messages == ["AB", "CD", "x", "x", "x"])
    try terminal.wait(forText: "> binary 2 B")
    try terminal.wait(forText: "* sent 3 messages")
    try desk.quit(terminal)
  }

  @Test func tabCompletes() throws {
    try desk.write("", to: home + "/some file.bin")
    let terminal = try desk.connect()
    try terminal.type("/ti\t")
    try terminal.wait(for: "a command") { $0.cursorLine == "> /timestamps" }
    try terminal.type("d\t")
    try terminal.wait(for: "its argument") { $0.cursorLine == "> /timestamps delta" }
    try terminal.type("\u{15}/file \(home)/so\t")
    try terminal.wait(for: "the beginning of a name") { $0.cursorLine.hasSuffix("/some file.bin") }
    try terminal.type("\u{15}/connect ws\t")
    try terminal.wait(for: "a URL of the history") { $0.cursorLine == "> /connect \(peer.url)" }
    try desk.quit(terminal)
  }

  @Test func clearEmptiesTheScreen() throws {
    let terminal = try desk.connect()
    peer.say("to be gone")
    try terminal.wait(forText: "< to be gone")
    try terminal.type("/clear\r")
    try terminal.wait(for: "an empty screen") { $0.text == ">" && $0.cursorRow == 0 }
    try desk.quit(terminal)
  }
}
