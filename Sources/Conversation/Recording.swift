package import WebSocketProtocol

/// A recording as it can be played again: what was sent and what came, in order.
package struct Recording: Sendable {
  package enum What: Sendable, Hashable {
    case open
    case sent(MessageKind, [UInt8])
    case received(MessageKind, [UInt8])
    case pinged([UInt8])
    /// We closed.
    case closed(CloseFrame)
    /// The peer closed; 1006 if the connection was lost.
    case closedByPeer(CloseCode)
  }

  package struct Event: Sendable, Hashable {
    /// The line, from 1 on.
    package var line: Int
    /// ns since the beginning.
    package var time: Int64
    /// Which connection of the recording.
    package var connection: Int
    package var what: What
  }

  package var events: [Event] = []

  package struct Failure: Error, Sendable {
    package var line: Int
    package var problem: SessionLineError
  }

  /// Reads the JSON Lines of a recording. Lines of events that cannot be played are read over.
  ///
  /// - Throws: what is wrong with its first line that is none.
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
