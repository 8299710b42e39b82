import Terminal
import TestServer
import WebSocketProtocol

/// Publishes standard input, one message per line or per NUL-terminated record.
struct SourceFeed: Sendable {
  /// How to split and publish the input.
  struct Configuration: Sendable {
    var boundary: MessageSplitter.Boundary
    var kind: MessageKind
    /// The maximum size of a message in bytes; longer ones are skipped.
    var maxMessage: Int
    /// Whether to wait for the first client before reading.
    var waitsForClients: Bool
    var isQuiet: Bool
    /// Whether the server ends when the input does.
    var endsAtEnd: Bool
  }

  private let configuration: Configuration
  private let context: CommandContext
  private let input: StandardInput

  init(_ configuration: Configuration, _ context: CommandContext) {
    self.configuration = configuration
    self.context = context
    input = StandardInput(boundary: configuration.boundary)
  }

  private var unit: String {
    if case .null = configuration.boundary { "message" } else { "line" }
  }

  /// Publishes messages until the end of the input.
  func run(to server: TestServer) async {
    if configuration.waitsForClients { await server.firstClient() }
    var number = 0
    do throws(SystemError) {
      while let batch = try await input.nextBatch() {
        var messages: [PublishedMessage] = []
        for payload in batch {
          number += 1
          if let problem = problem(payload) {
            context.warn("\(unit) \(number) of standard input is \(problem)")
          } else {
            messages.append(PublishedMessage(configuration.kind, payload))
          }
        }
        await server.publish(messages)
      }
    } catch {
      return context.warn("cannot read standard input: \(error.reason)")
    }
    guard !configuration.isQuiet, !configuration.endsAtEnd, !Task.isCancelled else { return }
    context.inform(
      "standard input ended after \(Figures.count(number)) \(unit)\(number == 1 ? "" : "s"); "
        + "clients stay connected")
  }

  private func problem(_ payload: [UInt8]) -> String? {
    if payload.count > configuration.maxMessage {
      return "over \(Figures.bytes(configuration.maxMessage)) (--max-message), skipped"
    }
    guard configuration.kind == .text, InvalidText(payload) != nil else { return nil }
    return "not valid UTF-8, skipped (use --binary)"
  }
}
