import WebSocketNIO
import WebSocketProtocol

/// Counts oddities in the frames of a client and forwards everything to the actual consumer of the
/// connection. It reads the bytes before the machine, which unmasks them in place. It exists only
/// if linting is on.
final class LintedClient: ConnectionConsumer {
  private let client: Int
  private let inner: any ConnectionConsumer
  private let report: @Sendable (ServerEvent) -> Void
  private var lint = FrameLint()

  init(
    _ client: Int, _ inner: any ConnectionConsumer,
    report: @escaping @Sendable (ServerEvent) -> Void
  ) {
    self.client = client
    self.inner = inner
    self.report = report
  }

  func carried(by transport: any ConnectionTransport) -> any ConnectionTransport {
    inner.carried(by: transport)
  }

  func opened(_ handler: ConnectionHandler) { inner.opened(handler) }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    inner.received(kind, payload, &machine)
  }

  func received(control step: Step, _ machine: inout ConnectionMachine) {
    inner.received(control: step, &machine)
  }

  func drain(_ window: inout ByteWindow, through machine: inout ConnectionMachine) {
    lint.scan(UnsafeRawBufferPointer(window.remaining))
    inner.drain(&window, through: &machine)
  }

  func burstEnded(_ machine: inout ConnectionMachine) { inner.burstEnded(&machine) }
  func writabilityChanged(_ isWritable: Bool) { inner.writabilityChanged(isWritable) }

  func closed(_ outcome: CloseOutcome) {
    // Report first: the log may end when the last client has left.
    report(.linted(client: client, lint.counts))
    inner.closed(outcome)
  }
}
