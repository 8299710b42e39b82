package import WebSocketProtocol

/// A line of JSON Lines input (PRODUCT 1.4), reduced to the message to send.
package enum SessionLine: Sendable, Hashable {
  case message(MessageKind, [UInt8])
  /// A line of another event, which is skipped.
  case other(event: String)

  /// Parses one line.
  ///
  /// - Throws: the problem in the line.
  package static func parse(_ line: [UInt8]) throws(SessionLineError) -> SessionLine {
    let value: JSONValue
    do {
      value = try JSONValue.parse(line)
    } catch {
      throw .notJSON(error)
    }
    return try SessionLine(value)
  }

  init(_ value: JSONValue) throws(SessionLineError) {
    guard case .object = value else { throw .notAnObject }
    guard let event = value["event"]?.string else { throw .noEvent }
    guard event == "message" else {
      self = .other(event: event)
      return
    }
    if let text = value["text"]?.string {
      self = .message(.text, Array(text.utf8))
      return
    }
    guard let base64 = value["base64"]?.string else { throw .noPayload }
    guard let bytes = Base64.decode(base64) else { throw .notBase64 }
    self = .message(.binary, bytes)
  }
}

/// Reads the lines of `--input jsonl` one by one.
///
/// The output of another `wscope` is sent on, whatever the direction of its messages. A recording
/// begins with an event `record`, and of what follows only sent messages are resent: it is
/// replayed, not echoed.
package struct SessionReader: Sendable {
  private var isRecording = false

  package init() {}

  /// The message to send for a line; nil if the line has none.
  ///
  /// - Throws: the problem in the line.
  package mutating func message(
    of line: [UInt8]
  ) throws(SessionLineError) -> (kind: MessageKind, payload: [UInt8])? {
    let value: JSONValue
    do {
      value = try JSONValue.parse(line)
    } catch {
      throw .notJSON(error)
    }
    switch try SessionLine(value) {
    case .other(let event):
      if event == "record" { isRecording = true }
      return nil
    case .message(let kind, let payload):
      let cameIn = value["dir"]?.string == SessionEvent.Direction.incoming.rawValue
      return isRecording && cameIn ? nil : (kind, payload)
    }
  }
}

package enum SessionLineError: Error, Sendable, Hashable {
  case notJSON(JSONError)
  case notAnObject
  case noEvent
  case noPayload
  case notBase64
}
