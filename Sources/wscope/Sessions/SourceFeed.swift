import Glibc
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
    /// The program whose output is published in place of standard input.
    var program: ServedProgram?
  }

  private let configuration: Configuration
  private let context: CommandContext
  private let input: StandardInput
  private let program: ProgramFeed?

  /// - Parameters:
  ///   - configuration: What to publish.
  ///   - context: For warnings.
  ///   - report: Called for what happens to the program.
  /// - Throws: `ProgramFailure` if the program cannot be started.
  init(
    _ configuration: Configuration, _ context: CommandContext,
    report: @escaping @Sendable (ProgramEvent) -> Void
  ) throws(ProgramFailure) {
    self.configuration = configuration
    self.context = context
    if let served = configuration.program {
      let program = try ProgramFeed(served, report: report)
      self.program = program
      input = StandardInput(descriptor: program.output, boundary: configuration.boundary)
    } else {
      program = nil
      input = StandardInput(boundary: configuration.boundary)
    }
  }

  /// Ends the program, if there is one.
  func stop() async { await program?.stop() }

  private var source: String { configuration.program == nil ? "standard input" : "the output" }

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
            context.warn("\(unit) \(number) of \(source) is \(problem)")
          } else {
            messages.append(PublishedMessage(configuration.kind, payload))
          }
        }
        await server.publish(messages)
      }
    } catch {
      // A pseudo-terminal whose process has gone has no other end.
      guard program != nil, error.code == EIO else {
        return context.warn("cannot read \(source): \(error.reason)")
      }
    }
    guard !configuration.isQuiet, !configuration.endsAtEnd, !Task.isCancelled else { return }
    context.inform(
      "\(source) ended after \(Figures.count(number)) \(unit)\(number == 1 ? "" : "s"); "
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
