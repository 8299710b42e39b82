package import WebSocketProtocol

/// Which messages a server reports, and how much of each.
package struct Capture: Sendable {
  /// Received messages that are reported one by one, a second and event loop; the others are
  /// counted.
  package var messagesPerSecond = 50
  /// Whether messages to clients are reported too.
  package var includesSent = false
  /// Whether pings and pongs from clients are reported too.
  package var includesPings = false
  /// Bytes of a payload that a report has at most.
  package var maxPayload = 256
  /// Only messages for which this returns true are reported, or counted as not reported; nil for
  /// all. Called on the event loops.
  package var filter: (@Sendable (MessageKind, UnsafeRawBufferPointer) -> Bool)?

  package init() {}

  /// All messages, pings and pongs, with their whole payloads.
  static let whole: Capture = {
    var capture = Capture()
    capture.messagesPerSecond = .max
    capture.includesSent = true
    capture.includesPings = true
    capture.maxPayload = .max
    return capture
  }()
}
