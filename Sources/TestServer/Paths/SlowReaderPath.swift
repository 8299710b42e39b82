import NIOCore
import WebSocketNIO
import WebSocketProtocol

/// `/slow-reader`: an echo that reads slowly, so that the client's output fills up.
final class SlowReaderPath: Behaviour {
  static let entry = TestPathEntry(
    pattern: "/slow-reader", query: ["rate"],
    summary: "Reads at this rate (1KB/s), and sends every message back.", isBroken: true
  ) { arguments throws(InvalidArgument) in
    let rate = try arguments.rate("rate") ?? 1024
    return .accept(PathConnection(behaviour: Maker(rate: rate), allowsDeflate: false))
  }

  struct Maker: BehaviourMaker {
    /// In bytes a second.
    var rate: Int

    func makeBehaviour(for client: ServedClient) -> any Behaviour { SlowReaderPath(client, rate) }
  }

  let client: ServedClient
  private let rate: Int
  private var start = NIODeadline.now()
  private var timer: Scheduled<Void>?

  init(_ client: ServedClient, _ rate: Int) {
    self.client = client
    self.rate = rate
  }

  func opened(_ handler: ConnectionHandler) {
    start = .now()
    client.opened(handler)
  }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    client.received(kind, payload)
    client.send(kind, payload, &machine)
  }

  /// Reads again once the rate allows what has been read.
  func burstEnded(_ machine: inout ConnectionMachine) {
    client.noteActivity()
    let seconds = Double(machine.traffic.wireIn) / Double(rate)
    let due = start + .nanoseconds(Int64(seconds * 1e9))
    guard due > .now(), timer == nil else { return }
    client.handler?.setReading(false)
    timer = client.registry.loop.assumeIsolated().scheduleTask(deadline: due) { [weak self] in
      self?.timer = nil
      guard let handler = self?.client.handler else { return }
      handler.setReading(handler.isWritable)
    }
  }

  func writabilityChanged(_ isWritable: Bool) {
    client.handler?.setReading(isWritable && timer == nil)
  }

  func closed(_ outcome: CloseOutcome) {
    timer?.cancel()
    timer = nil
    client.closed(outcome)
  }
}
