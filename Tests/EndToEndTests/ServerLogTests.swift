import Glibc
import TestPeers
import Testing

/// The options of `listen` for its log.
@Suite(.blocking) struct ServerLogTests {
  /// The log of a server up to the end of its first client, which sends messages.
  private func log(
    _ options: [String], path: String = "", _ messages: [String], replies: Int
  ) throws -> [String] {
    let listener = try Listener(options)
    let finished = try Wscope.run(
      ["send", listener.url + path] + messages + ["-N", "\(replies)"], input: "")
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    var lines: [String] = []
    _ = try listener.process.readLine(from: .standardError) { line in
      lines.append(line)
      return line.contains("#1 closed")
    }
    return lines
  }

  /// Whatever sends it, and whether it is echoed, published, kept for the client or late.
  @Test(arguments: [
    (["--mode", "echo"], "", "#1 > text 2 B  hi"),
    (["--mode", "broadcast=all"], "", "#1 > text 2 B  hi"),
    (["--mode", "broadcast=all", "--keep", "1"], "", "#1 > text 2 B  hi"),
    (["--mode", "chat"], "room/x?self=1&format=raw", "#1 > text 2 B  hi"),
    ([], "count/1?interval=1ms", "#1 > text 1 B  1"),
    (
      ["--fault", "delay=10ms"], "", "#1 > text 2 B  hi   fault delay=10ms"
    ),
    (["--on", "< hi => > ho"], "", "#1 > text 2 B  ho   rule on1"),
  ]) func sentMessagesAreLogged(_ options: [String], _ path: String, _ line: String) throws {
    let lines = try log(["-v"] + options, path: path, ["hi"], replies: 1)
    #expect(lines.contains { $0.contains(line) }, "\(lines)")
    let open = try #require(lines.firstIndex { $0.contains("#1 open") })
    let first = try #require(lines.firstIndex { $0.contains(" > text") })
    #expect(open < first, "\(lines)")
    #expect(
      try !log(options, path: path, ["hi"], replies: 1).contains { $0.contains(" > text") })
  }

  /// Also under load, when most messages are only counted.
  @Test func aFilterComparesEveryMessage() throws {
    let noise = (1...100).map { "noise \($0)" }
    let lines = try log(["--filter", "^needle \\d$"], noise + ["needle 1"], replies: 101)
    #expect(lines.filter { $0.contains(" < text") } == ["#1 < text 8 B  needle 1"])
    #expect(!lines.contains { $0.contains("more messages") })
    let both = try log(["-v", "--filter", "edl"], noise + ["needle 1"], replies: 101)
    #expect(both.filter { $0.contains(" > text") } == ["#1 > text 8 B  needle 1"])
  }

  @Test func aJSONFilter() throws {
    let messages = [#"{"op":"sub"}"#, #"{"op":"pub"}"#, "text", #"{"op":"sub","n":1}"#]
    let lines = try log(["--filter-json", ".op == \"sub\""], messages, replies: 4)
    #expect(
      lines.filter { $0.contains(" < ") } == [
        "#1 < text 12 B  \(messages[0])", "#1 < text 18 B  \(messages[3])",
      ])
    let both = try log(["--filter-json", ".op", "--filter", "n"], messages, replies: 4)
    #expect(both.filter { $0.contains(" < ") } == ["#1 < text 18 B  \(messages[3])"])
  }

  /// Its lines are indented, so that none can be taken for another event.
  @Test func jsonIsIndented() throws {
    let lines = try log(["--json"], [##"{"a":[1,"#2 closed"]}"##, "{no"], replies: 2)
    let start = try #require(lines.firstIndex { $0.contains(" < text 21 B") })
    #expect(
      lines[start...].prefix(7) == [
        "#1 < text 21 B", "  {", "    \"a\": [", "      1,", "      \"#2 closed\"", "    ]", "  }",
      ])
    #expect(lines.contains("#1 < text 3 B  {no"))
  }

  @Test(arguments: [
    ("--timestamps", "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d+Z #1 open"),
    ("--timestamps=rel", "^ *\\d+\\.\\d{3} #1 open"),
    ("--timestamps=delta", "^ *\\+\\d+\\.\\d{3} #1 open"),
  ]) func timestamps(_ option: String, _ pattern: String) throws {
    let lines = try log([option], ["a"], replies: 1)
    let open = try #require(lines.first { $0.contains("#1 open") })
    #expect(try Regex(pattern).firstMatch(in: open) != nil, "\(open)")
  }

  @Test(arguments: [
    (["--filter", "("], "--filter \"(\": not a regular expression"),
    (["--filter-json", ".op ="], "--filter-json: = is not a comparison; use =="),
    (["-q", "--filter", "a"], "--quiet and --filter cannot be used together"),
    (["-q", "--filter-json", ".a"], "--quiet and --filter-json cannot be used together"),
    (["--timestamps=x"], "timestamps"),
  ]) func badOptions(_ options: [String], _ message: String) throws {
    let finished = try Wscope.run(["listen", "0"] + options, input: "")
    #expect(finished.exitCode == 2)
    #expect(finished.errorText.contains(message), "\(finished.errorText)")
  }
}
