import Glibc
import TestPeers
import Testing

/// The line that is typed, while messages come: what the person sees, in both modes of editing, on
/// narrow and wide terminals, with characters of all widths.
@Suite(.blocking) struct PromptScreenTests {
  enum Mode: String, CaseIterable, Sendable {
    case emacs
    case vi

    /// Moves the cursor three characters to the left and types Z there.
    var keysForZ: String { self == .emacs ? "\u{2}\u{2}\u{2}Z" : "\u{1b}2hiZ" }
    /// Empties the line.
    var keysToClear: String { self == .emacs ? "\u{5}\u{15}" : "\u{1b}ddi" }
  }

  static let texts = [
    "plain letters, and more of them than twenty columns hold",
    "你好，世界 wide 日本語 한국어 text",
    "e\u{301}a\u{308}o\u{302} combining n\u{303} marks u\u{30a}",
    "emoji 😀🎉 between 🚀 words 🦊 here",
    "שלום עולם and مرحبا right to left",
  ]

  static let cases: [(Int, Mode, String)] = [20, 80, 200].flatMap { width in
    Mode.allCases.flatMap { mode in texts.map { (width, mode, $0) } }
  }

  private let desk: PromptDesk
  private var peer: PushPeer { desk.peer }
  private var home: String { desk.home }

  init() throws { desk = try PromptDesk("screen") }

  private func connect(
    columns: Int, mode: Mode = .emacs, environment: [String: String] = [:]
  ) throws -> PseudoTerminal {
    let inputrc = home + "/inputrc"
    try desk.write(
      "set editing-mode \(mode.rawValue)\nset keyseq-timeout 1\n", to: inputrc)
    return try desk.connect(
      environment: environment.merging(["INPUTRC": inputrc]) { own, _ in own }, columns: columns)
  }

  private func quit(_ terminal: PseudoTerminal, _ mode: Mode = .emacs) throws {
    try desk.quit(terminal, clearing: mode.keysToClear)
  }

  @Test(arguments: cases) func theTypedLineStaysWhole(
    width: Int, mode: Mode, text: String
  ) throws {
    let terminal = try connect(columns: width, mode: mode)
    try terminal.type(text)
    var line = TypedLine(Array(text), cursor: text.count, width: width)
    try terminal.wait(for: "the line as typed") { line.isShown(on: $0) }
    // One message, a burst, and a burst of what no screen holds.
    for count in [1, 40, 2000] {
      let frames = (1...count).flatMap {
        RawPeer.frame(0x1, Array("burst \(count), message \($0) 你好".utf8))
      }
      peer.push(frames)
      try terminal.wait(for: "the last of \(count) above the whole line") { screen in
        // A row has lost the blank at its end.
        screen.everything.filter { !$0.isWhitespace }.contains("burst\(count),message\(count)你好")
          && line.isShown(on: screen)
      }
    }
    try terminal.type(mode.keysForZ)
    line.insert("Z", fromEnd: 3)
    try terminal.wait(for: "the cursor inside the line") { line.isShown(on: $0) }
    peer.say("one more")
    try terminal.wait(for: "a message above it") { screen in
      screen.everything.contains("< one more") && line.isShown(on: screen)
    }
    try terminal.type("\r")
    try peer.wait(messages: 1)
    #expect(peer.messages == [String(line.characters)])
    try quit(terminal, mode)
  }

  /// The model of the screen does not wrap again, as xterm does not.
  @Test(arguments: [(80, 20), (20, 80), (200, 80), (80, 200)]) func aNewSizeKeepsTheLine(
    before: Int, after: Int
  ) throws {
    let terminal = try connect(columns: before, environment: ["XTERM_VERSION": "XTerm(379)"])
    // Once the hint of the first run is there, nothing but the new size makes the line be drawn again.
    try terminal.wait(forText: "leaves")
    let text = "typed before the window had another width, 你好 included"
    try terminal.type(text)
    var line = TypedLine(Array(text), cursor: text.count, width: before)
    try terminal.wait(for: "the line") { line.isShown(on: $0) }
    try terminal.resize(columns: after, rows: 30)
    line.width = after
    try terminal.wait(for: "the line in its new width") { line.isShown(on: $0) }
    // While messages come, too.
    for width in [before, after, before] {
      peer.push((1...200).flatMap { RawPeer.frame(0x1, Array("during \($0)".utf8)) })
      try terminal.resize(columns: width, rows: 24)
      line.width = width
      peer.say("behind \(width)")
      try terminal.wait(for: "the line after both") { screen in
        screen.everything.contains("behind \(width)") && line.isShown(on: screen)
      }
    }
    try terminal.type("!\r")
    try peer.wait(messages: 1)
    #expect(peer.messages == [text + "!"])
    try quit(terminal)
  }

  @Test func reverseSearchGoesOnWhileMessagesCome() throws {
    let terminal = try connect(columns: 80)
    try terminal.type("first line\rsecond thing\r")
    try peer.wait(messages: 2)
    try terminal.type("\u{12}fir")
    try terminal.wait(for: "the match") { $0.cursorLine.contains("`fir': first line") }
    peer.say("from elsewhere")
    try terminal.wait(for: "the search below the message") { screen in
      screen.text.contains("< from elsewhere") && screen.cursorLine.contains("`fir': first line")
    }
    try terminal.type("\r")
    try peer.wait(messages: 3)
    #expect(peer.messages.last == "first line")
    try quit(terminal)
  }

  /// 1 MB in one line, pasted as terminals do it. One row of it is shown.
  @Test func aMegabyteIsOneMessage() throws {
    let terminal = try connect(columns: 80)
    let text = String(repeating: "0123456789abcdef", count: 65_536) + "end"
    try terminal.paste(text)
    try terminal.wait(for: "the end of the line", deadline: 60) { $0.cursorLine.hasSuffix("end") }
    peer.say("meanwhile")
    try terminal.wait(for: "a message above it", deadline: 120) { screen in
      screen.text.contains("< meanwhile") && screen.cursorLine.hasSuffix("end")
    }
    try terminal.type("\r")
    try peer.wait(messages: 1, deadline: 120)
    #expect(peer.messages == [text])
    // The next line is an ordinary one again.
    try terminal.type("short")
    try terminal.wait(for: "a short line") { $0.cursorLine == "> short" }
    try quit(terminal)
  }

  /// A line that fills more than the screen has one row, in the new width too.
  @Test(arguments: [(80, 40), (40, 80)]) func aNewSizeKeepsOneRowOfALongLine(
    before: Int, after: Int
  ) throws {
    let terminal = try connect(columns: before, environment: ["XTERM_VERSION": "XTerm(379)"])
    try terminal.wait(forText: "leaves")
    peer.say("above the line")
    try terminal.wait(forText: "above the line")
    try terminal.paste(String(repeating: "0123456789abcdef", count: 1024) + "end")
    try terminal.wait(for: "the end of the line") { $0.cursorLine.hasSuffix("end") }
    try terminal.resize(columns: after, rows: 24)
    try terminal.wait(for: "the row in its new width") { screen in
      screen.cursorLine.hasSuffix("end")
        && screen.cursorLine.count > after / 2 && screen.cursorLine.count <= after
        && screen.lines.filter { $0.hasSuffix("end") }.count == 1
        && screen.text.contains("< above the line")
    }
    try terminal.type("\u{15}")
    try terminal.wait(for: "an empty line") { $0.cursorLine.hasPrefix(">") }
    try quit(terminal)
  }

  @Test func aPasteOfManyLinesIsOneMessage() throws {
    let terminal = try connect(columns: 80)
    let text = (1...100).map { "line \($0)\twith a tab" }.joined(separator: "\n")
    try terminal.paste(text)
    try terminal.wait(for: "its end", deadline: 120) { $0.text.contains("line 100") }
    try terminal.type("\r")
    try peer.wait(messages: 1)
    #expect(peer.messages == [text])
    try quit(terminal)
  }

  @Test func theSettingsOfThePersonApply() throws {
    let inputrc = home + "/own"
    try desk.write(
      "$if wscope\n\"\\C-xh\": \"hello from inputrc\"\n$endif\n$if other\n\"\\C-xh\": \"no\"\n$endif\n",
      to: inputrc)
    let terminal = try PseudoTerminal(
      Wscope.path, ["connect", peer.url],
      environment: Wscope.environment(["HOME": home, "TERM": "xterm", "INPUTRC": inputrc]))
    try terminal.wait(for: "the prompt") { $0.cursorLine == ">" && $0.cursorColumn == 2 }
    try terminal.type("\u{18}h")
    try terminal.wait(for: "the macro") { $0.cursorLine == "> hello from inputrc" }
    try quit(terminal)
  }
}

/// Where a terminal shows a line that is typed behind `> `.
struct TypedLine {
  var characters: [Character]
  /// In characters from the start.
  var cursor: Int
  var width: Int

  init(_ characters: [Character], cursor: Int, width: Int) {
    self.characters = characters
    self.cursor = cursor
    self.width = width
  }

  mutating func insert(_ character: Character, fromEnd count: Int) {
    characters.insert(character, at: characters.count - count)
    cursor = characters.count - count
  }

  /// The rows, without the blanks at their ends, and where the cursor is in them.
  var layout: (rows: [String], row: Int, column: Int) {
    var rows = [""]
    var column = 0
    var endpoint = (row: 0, column: 0)
    for (index, character) in (Array("> ") + characters).enumerated() {
      let columns = character.unicodeScalars.reduce(0) { $0 + CharacterWidth.columns(of: $1) }
      if column + columns > width {
        rows.append("")
        column = 0
      }
      if index == cursor + 2 { endpoint = (rows.count - 1, column) }
      rows[rows.count - 1].append(character)
      column += columns
    }
    if cursor == characters.count {
      endpoint = column == width ? (rows.count, 0) : (rows.count - 1, column)
    }
    let trimmed = rows.map { row in
      var row = row
      while row.last == " " { row.removeLast() }
      return row
    }
    return (trimmed, endpoint.row, endpoint.column)
  }

  func isShown(on screen: Screen) -> Bool {
    let (rows, row, column) = layout
    let first = screen.cursorRow - row
    guard first >= 0, first + rows.count <= screen.lines.count, screen.cursorColumn == column else {
      return false
    }
    return Array(screen.lines[first..<(first + rows.count)]) == rows
  }
}
