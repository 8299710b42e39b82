import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// `/close/CODE`: closes with a code, at once or after a number of echoes.
final class ClosePath: Behaviour {
  static let entry = TestPathEntry(
    pattern: "/close/{code}", query: ["reason", "after"],
    summary:
      "Closes with this code, after=N messages if that is given; 1005 has no code, 1006 no Close frame."
  ) { arguments throws(InvalidArgument) in
    let code = try arguments.number("code", in: 0...65_535) ?? 1000
    let reason = arguments.text("reason") ?? ""
    guard reason.utf8.count <= CloseFrame.maximumReasonLength else {
      throw InvalidArgument("reason: longer than \(CloseFrame.maximumReasonLength) bytes")
    }
    let after = try arguments.number("after", in: 0...1_000_000) ?? 0
    return .accept(
      PathConnection(behaviour: Maker(code: UInt16(code), reason: reason, after: after)))
  }

  struct Maker: BehaviourMaker {
    var code: UInt16
    var reason: String
    /// The number of messages to echo before closing.
    var after: Int

    func makeBehaviour(for client: ServedClient) -> any Behaviour { ClosePath(client, self) }
  }

  let client: ServedClient
  private let settings: Maker
  private var left: Int
  private var isOver = false

  init(_ client: ServedClient, _ settings: Maker) {
    self.client = client
    self.settings = settings
    left = settings.after
  }

  func opened(_ handler: ConnectionHandler) {
    client.opened(handler)
    guard left == 0 else { return }
    if settings.code == CloseCode.abnormal.rawValue { return end(handler) }
    isOver = true
    // This cannot fail: the connection has just opened.
    try? handler.perform { machine throws(SendError) in
      try machine.sendClose(frame, allowsAnyCode: true)
    }
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    client.received(kind, payload)
    guard !isOver else { return }
    client.send(kind, payload, &machine)
    left -= 1
    guard left == 0 else { return }
    isOver = true
    if settings.code == CloseCode.abnormal.rawValue {
      // After the echo is written.
      client.registry.loop.assumeIsolated().execute { [self] in
        if let handler = client.handler { end(handler) }
      }
    } else {
      try? machine.sendClose(frame, allowsAnyCode: true)
    }
  }

  /// The Close frame; without a code for 1005 (RFC 6455 section 7.4.1).
  private var frame: CloseFrame {
    settings.code == CloseCode.noStatus.rawValue
      ? CloseFrame(nil) : CloseFrame(CloseCode(rawValue: settings.code), reason: settings.reason)
  }

  /// Sends a FIN without a Close frame. The connection ends a second later, even if the peer does
  /// not close its side.
  private func end(_ handler: ConnectionHandler) {
    isOver = true
    handler.closeOutput()
    client.registry.loop.assumeIsolated().scheduleTask(in: .seconds(1)) { [weak handler] in
      handler?.abandon()
    }
  }

  func closed(_ outcome: CloseOutcome) {
    // If this side ended first, the end of the stream is only the reply of the peer.
    client.closed(
      settings.code == CloseCode.abnormal.rawValue && outcome == .lost(.endOfStream) && isOver
        ? .lost(.abandoned) : outcome)
  }
}
