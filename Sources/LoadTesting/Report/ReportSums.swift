extension LoadReport {
  /// Checks the sums that must agree in every report, no matter how the run went.
  ///
  /// - Returns: One line for each contradiction; empty unless this program counts wrongly.
  package func contradictions() -> [String] {
    var found: [String] = []
    func expect(_ name: String, _ left: Int, _ right: Int) {
      if left != right { found.append("\(name): \(left) and \(right)") }
    }

    let counts = messages
    expect("sent, and what became of it", counts.sent, counts.sent &- accounting())
    expect("planned, and sent or not", planned, counts.planned)
    if counts.answeredInWindow > counts.answered {
      expect("answered in the window, and in all", counts.answeredInWindow, counts.answered)
    }

    let roundTrips = metrics[.roundTrip]
    expect("answered, and round trips", counts.answered, roundTrips?.count ?? 0)
    expect("not answered, and censored", counts.censored, roundTrips?.censored ?? 0)
    if configuration.pacing.isOpen {
      expect("sent, and lateness", counts.sent, metrics[.late]?.count ?? 0)
      expect("answered, and service times", counts.answered, metrics[.service]?.count ?? 0)
    }

    expect("payload sent", payload.sent, counts.sent &* configuration.payloadSize)
    if configuration.content == .generated {
      expect("payload received", payload.received, counts.answered &* configuration.payloadSize)
    }

    let window = intervals.filter { $0.start >= 0 }
    func sum(_ part: (Interval) -> Int) -> Int {
      window.reduce(0) { $0 &+ part($1) }
    }
    if let measured = phase(.measure) {
      expect("sent in intervals", sum(\.sent), counts.sent)
      expect("answered in intervals", sum(\.received), counts.answeredInWindow)
      expect("round trips of intervals", sum(\.heat.total), counts.answeredInWindow)
      expect("errors of intervals", sum(\.errors), errors.reduce(0) { $0 &+ $1.inWindow })
      expect("length of intervals", sum { Int($0.duration) }, Int(measured.duration))
    }
    for (one, next) in zip(intervals, intervals.dropFirst()) {
      expect("end and beginning of intervals", Int(one.start &+ one.duration), Int(next.start))
    }

    for interval in intervals {
      expect("round trips of an interval, and its heat", interval.received, interval.heat.total)
    }

    for entry in errors where entry.inWindow > entry.count {
      expect("errors in the window, and in all", entry.inWindow, entry.count)
    }
    if connections.opened &+ connections.failed > connections.asked {
      expect(
        "opened or failed, and asked", connections.opened &+ connections.failed, connections.asked)
    }
    if connections.lost > connections.opened {
      expect("lost, and opened", connections.lost, connections.opened)
    }
    return found
  }
}
