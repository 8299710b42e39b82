package import WebSocketProtocol

/// A recording in a form that can be replayed: the events that were sent and received, in order.
package struct Recording: Sendable {
  package enum What: Sendable, Hashable {
    case open
    case sent(MessageKind, [UInt8])
    case received(MessageKind, [UInt8])
    case pinged([UInt8])
    /// We closed the connection.
    case closed(CloseFrame)
    /// The peer closed the connection; 1006 if it was lost.
    case closedByPeer(CloseCode)
  }

  package struct Event: Sendable, Hashable {
    /// The line number, from 1.
    package var line: Int
    /// Time since the start in ns.
    package var time: Int64
    /// The number of the connection in the recording.
    package var connection: Int
    package var what: What
  }

  package var events: [Event] = []

  package struct Failure: Error, Sendable {
    package var line: Int
    package var problem: SessionLineError
  }

  /// Parses the JSON Lines of a recording. Lines with events that cannot be replayed are skipped.
  ///
  /// - Throws: the problem of the first invalid line.
  package init(_ bytes: [UInt8]) throws(Failure) {
    for (index, line) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated()
    where !line.isEmpty {
      let value: JSONValue
      let read: SessionLine
      do throws(JSONError) {
        value = try JSONValue.parse(Array(line))
      } catch {
        throw Failure(line: index + 1, problem: .notJSON(error))
      }
      do throws(SessionLineError) {
        read = try SessionLine(value)
      } catch {
        throw Failure(line: index + 1, problem: error)
      }
      guard let what = Self.what(read, value) else { continue }
      let seconds = Self.number(value["t"]) ?? 0
      events.append(
        Event(
          line: index + 1, time: Int64(min(max(seconds, 0), 1e8) * 1e9),
          connection: Self.number(value["conn"]).flatMap { Int(exactly: $0) } ?? 1, what: what))
    }
  }

  private static func what(_ line: SessionLine, _ value: JSONValue) -> What? {
    let cameIn = value["dir"]?.string == SessionEvent.Direction.incoming.rawValue
    switch line {
    case .message(let kind, let payload):
      return cameIn ? .received(kind, payload) : .sent(kind, payload)
    case .other("open"): return .open
    case .other("ping") where !cameIn:
      return .pinged(value["base64"]?.string.flatMap(Base64.decode) ?? [])
    case .other("close"):
      guard let code = number(value["code"]).flatMap({ UInt16(exactly: $0) }) else { return nil }
      let close = CloseCode(rawValue: code)
      if cameIn { return .closedByPeer(close) }
      return .closed(
        CloseFrame(close.mayBeOnTheWire ? close : .normal, reason: value["reason"]?.string ?? ""))
    case .other: return nil
    }
  }

  private static func number(_ value: JSONValue?) -> Double? {
    if case .number(let text) = value { Double(text) } else { nil }
  }
}
