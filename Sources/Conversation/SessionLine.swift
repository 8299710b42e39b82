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
    guard case .object = value else { throw .notAnObject }
    guard let event = value["event"]?.string else { throw .noEvent }
    guard event == "message" else { return .other(event: event) }
    if let text = value["text"]?.string { return .message(.text, Array(text.utf8)) }
    guard let base64 = value["base64"]?.string else { throw .noPayload }
    guard let bytes = Base64.decode(base64) else { throw .notBase64 }
    return .message(.binary, bytes)
  }
}

package enum SessionLineError: Error, Sendable, Hashable {
  case notJSON(JSONError)
  case notAnObject
  case noEvent
  case noPayload
  case notBase64
}
