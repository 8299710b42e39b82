import TestPeers
import Testing

/// Programs of the kinds that people put behind a socket, each in the interpreters of a Debian: one that counts, one
/// that answers, one that shows its environment, and a chat over a file. Every one flushes its lines, and nothing else
/// makes it fit for `listen --exec`.
@Suite(.blocking) struct ProgramExampleTests {
  struct Example: Sendable, CustomTestStringConvertible {
    /// The interpreter with the options that take the program.
    var interpreter: [String]
    var counts: String
    var greets: String
    var shows: String

    var testDescription: String { interpreter[0] }
  }

  static let examples: [Example] = [
    Example(
      interpreter: ["sh", "-c"],
      counts: "i=1; while [ $i -le 10 ]; do echo $i; i=$((i+1)); done",
      greets: #"while read -r name; do echo "Hello $name!"; done"#,
      shows: #"echo "$REMOTE_ADDR $PATH_INFO $QUERY_STRING""#),
    Example(
      interpreter: ["bash", "-c"],
      counts: "for ((i = 1; i <= 10; i++)); do echo $i; done",
      greets: #"while IFS= read -r name; do printf 'Hello %s!\n' "$name"; done"#,
      shows: #"echo "$REMOTE_ADDR ${PATH_INFO} ${QUERY_STRING}""#),
    Example(
      interpreter: ["perl", "-e"],
      counts: #"$| = 1; print "$_\n" for 1..10;"#,
      greets: #"$| = 1; while (<STDIN>) { chomp; print "Hello $_!\n"; }"#,
      shows: #"print "$ENV{REMOTE_ADDR} $ENV{PATH_INFO} $ENV{QUERY_STRING}\n";"#),
    Example(
      interpreter: ["python3", "-c"],
      counts: "for i in range(1, 11): print(i, flush=True)",
      greets: """
        import sys
        for line in sys.stdin:
            print("Hello " + line.rstrip("\\n") + "!", flush=True)
        """,
      shows: """
        from os import environ
        print(environ["REMOTE_ADDR"], environ["PATH_INFO"], environ["QUERY_STRING"])
        """),
    // Without the option it reads 4096 bytes before it handles a line.
    Example(
      interpreter: ["mawk", "-W", "interactive"],
      counts: "BEGIN { for (i = 1; i <= 10; i++) print i }",
      greets: #"{ print "Hello " $0 "!" }"#,
      shows:
        #"BEGIN { print ENVIRON["REMOTE_ADDR"], ENVIRON["PATH_INFO"], ENVIRON["QUERY_STRING"] }"#
    ),
  ]

  private static func run(_ example: Example, _ program: String) throws -> Listener {
    try Listener(["--exec", "--no-compress", "--"] + example.interpreter + [program])
  }

  private static func lines(_ lines: [String]) -> [UInt8] {
    lines.flatMap { RawPeer.frame(1, Array($0.utf8)) }
  }

  private static func expect(_ client: RawClient, _ expected: [String]) {
    let frames = lines(expected)
    let came = client.read(frames.count)
    #expect(came == frames, "\(String(decoding: came, as: UTF8.self))")
  }

  @Test(arguments: examples) func itCountsAndEnds(_ example: Example) throws {
    let listener = try Self.run(example, example.counts)
    let client = try RoomTests.join(listener, "/")
    Self.expect(client, (1...10).map { "\($0)" })
    #expect(client.read(4) == RawPeer.frame(8, [0x03, 0xE8]))
  }

  /// Each client has a process of its own, and is answered line by line.
  @Test(arguments: examples) func itAnswers(_ example: Example) throws {
    let listener = try Self.run(example, example.greets)
    let clients = try (0..<2).map { _ in try RoomTests.join(listener, "/") }
    for name in ["Ann", "José"] {
      for client in clients {
        RoomTests.say(client, name)
        Self.expect(client, ["Hello \(name)!"])
      }
    }
  }

  @Test(arguments: examples) func itKnowsTheRequest(_ example: Example) throws {
    let listener = try Self.run(example, example.shows)
    let client = try RoomTests.join(listener, "/a/b?c=d&e=%20f")
    Self.expect(client, ["127.0.0.1 /a/b c=d&e=%20f"])
  }

  /// What one writes to a file the others follow.
  @Test func aChatOverAFile() throws {
    let file = try Wscope.scratch("chat-\(UInt32.random(in: 0...UInt32.max))") + "/log"
    try Wscope.write("", to: file)
    let program = #"""
      echo "Your name?"; read -r user; echo "[$(date)] $user joined" >> "$0"
      echo "Welcome $user!"
      tail -n 0 -f "$0" --pid=$$ | grep --line-buffered -v "> $user:" &
      while read -r line; do echo "> $user: $line" >> "$0"; done
      """#
    let listener = try Listener(["--exec", "--no-compress", "--", "bash", "-c", program, file])
    let clients = try ["ann", "bob"].map { name in
      let client = try RoomTests.join(listener, "/")
      Self.expect(client, ["Your name?"])
      RoomTests.say(client, name)
      Self.expect(client, ["Welcome \(name)!"])
      return client
    }
    // When the other has begun to follow is not known: ann repeats herself until bob hears her.
    var heard: [UInt8] = []
    let hello = Self.lines(["> ann: hello"])
    for _ in 0..<100 where heard.isEmpty {
      RoomTests.say(clients[0], "hello")
      if !clients[1].isSilent(for: 0.2) { heard = clients[1].read(hello.count) }
    }
    #expect(heard == hello, "\(String(decoding: heard, as: UTF8.self))")
  }
}
