/// `/drop` and `/reset`: the server ends the connection without a Close frame.
enum EndPaths {
  static let all = [
    entry("/drop", "Ends without a Close frame (FIN) after=N messages (1) or a duration.") {
      $0.end()
    },
    entry("/reset", "Ends with a TCP reset (RST) after=N messages (1) or a duration.") {
      $0.reset()
    },
  ]

  private static func entry(
    _ pattern: String, _ summary: String, act: @escaping @Sendable (FaultyTransport) -> Void
  ) -> TestPathEntry {
    TestPathEntry(pattern: pattern, query: ["after"], summary: summary, isBroken: true) {
      arguments throws(InvalidArgument) in
      var rule = FaultRule.silent(.transport(act))
      rule.start = try arguments.start("after") ?? .messages(1)
      return .accept(
        PathConnection(behaviour: Echo.Maker(), allowsDeflate: false, faults: [rule]))
    }
  }
}
