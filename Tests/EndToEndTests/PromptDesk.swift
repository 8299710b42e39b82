import Glibc
import TestPeers
import Testing

/// What a test at the prompt has around it: a peer that says what it is told to, and a home of its own.
struct PromptDesk: Sendable {
  let peer: PushPeer
  let home: String

  init(_ name: String) throws {
    peer = try PushPeer()
    home = try Wscope.scratch("\(name)-\(UInt32.random(in: 0...UInt32.max))")
  }

  /// `wscope connect` on a terminal, at its prompt.
  func connect(
    _ options: [String] = [], url: String? = nil, environment: [String: String] = [:],
    columns: Int = 80
  ) throws -> PseudoTerminal {
    var variables = ["HOME": home, "TERM": "xterm-256color", "INPUTRC": "/dev/null"]
    variables.merge(environment) { _, own in own }
    let terminal = try PseudoTerminal(
      Wscope.path, ["connect", url ?? peer.url] + options,
      environment: Wscope.environment(variables), columns: columns)
    try terminal.wait(for: "the prompt") { $0.cursorLine == ">" && $0.cursorColumn == 2 }
    return terminal
  }

  /// Leaves with Ctrl-D, behind the keys that empty the line.
  func quit(_ terminal: PseudoTerminal, clearing: String = "\u{5}\u{15}") throws {
    try terminal.type(clearing + "\u{4}")
    #expect(try terminal.waitForEnd() == .exited(0))
    #expect(terminal.screen.unknownEscapes == [])
  }

  func write(_ text: String, to path: String) throws { try Wscope.write(text, to: path) }

  func text(_ path: String) throws -> String { try Wscope.read(path) }
}
