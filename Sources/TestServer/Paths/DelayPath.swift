/// `/delay/MS`: echoes every message after a delay.
enum DelayPath {
  static let entry = TestPathEntry(
    pattern: "/delay/{ms}",
    summary: "Sends every message back this much later, in order; a bare number is milliseconds."
  ) { arguments throws(InvalidArgument) in
    let delay = try arguments.duration("ms") ?? 0
    return .accept(
      PathConnection(
        behaviour: Echo.Maker(), faults: [.silent(.message(Delay.action(delay, jitter: 0)))]))
  }
}
