package import WebSocketProtocol

/// A line of JSON Lines input (PRODUCT 1.4) as far as it can be sent: the message it stands for.
package enum SessionLine: Sendable, Hashable {
  case message(MessageKind, [UInt8])
  /// A line of another event, which is read over.
  case other(event: String)

  /// Reads one line.
  ///
  /// - Throws: what is wrong with it.
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

/// Reads the lines of `--input jsonl`, one after the other.
///
/// What another `wscope` prints is sent on, whichever way its messages went. A recording begins with
/// an event `record`, and behind it only what was sent is sent again: it is played, not echoed.
package struct SessionReader: Sendable {
  private var isRecording = false

  package init() {}

  /// The message to send for a line; nil if it stands for none.
  ///
  /// - Throws: what is wrong with the line.
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
