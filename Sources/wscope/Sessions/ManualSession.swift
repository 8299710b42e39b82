import NIOCore
import Terminal
import TestServer
import WebSocketProtocol

/// Answers the clients of mode `manual` with what a person types at a prompt, or with the lines of standard input.
final class ManualSession: Sendable {
  struct Configuration: Sendable {
    /// Whether messages are text or binary.
    var kind: MessageKind
    /// The terminal of the prompt; nil without one.
    var prompt: Int32?
    /// Whether the server ends when the input does.
    var endsAtEnd: Bool
    var isQuiet: Bool
  }

  private let configuration: Configuration
  private let context: CommandContext
  private let editor: LineEditor?

  init(_ configuration: Configuration, _ context: CommandContext) {
    self.configuration = configuration
    self.context = context
    editor = configuration.prompt.map { descriptor in
      LineEditor(
        prompt: PromptText().text(context.style), output: descriptor,
        complete: { line, _ in .words(ManualInput.completion(line)) })
    }
  }

  /// Performs lines until the input ends or a line ends the server.
  ///
  /// - Returns: Whether the server ends.
  func run(on server: TestServer) async -> Bool {
    guard let editor else { return await runLines(on: server) }
    context.console.attach(editor)
    context.signals.attach(editor)
    editor.start()
    if !configuration.isQuiet {
      context.inform(
        "a line goes to the only client, @3 TEXT to client 3; /help lists the commands")
    }
    for await input in editor.inputs {
      switch input {
      case .line(let line): if await perform(line, on: server) { return true }
      case .endOfInput: return true
      case .terminalLost: return false
      }
    }
    return false
  }

  /// Restores the terminal.
  func stop() {
    guard let editor else { return }
    editor.stop()
    context.console.detach()
    context.signals.detach()
  }

  private func runLines(on server: TestServer) async -> Bool {
    let input = StandardInput(boundary: .newline)
    var number = 0
    do throws(SystemError) {
      while let batch = try await input.nextBatch() {
        for line in batch {
          number += 1
          let place = "line \(number) of standard input: "
          if await perform(String(decoding: line, as: UTF8.self), place, on: server) { return true }
        }
      }
    } catch {
      context.warn("cannot read standard input: \(error.reason)")
    }
    if !configuration.isQuiet, !configuration.endsAtEnd, !Task.isCancelled {
      context.inform("standard input ended; clients stay connected")
    }
    return configuration.endsAtEnd
  }

  /// Performs a line.
  ///
  /// - Parameters:
  ///   - line: As it was typed or read.
  ///   - place: Where the line is, for problems.
  ///   - server: The server of the clients.
  /// - Returns: Whether the server ends.
  private func perform(_ line: String, _ place: String = "", on server: TestServer) async -> Bool {
    do throws(CommandError) {
      switch try ManualInput.parse(line) {
      case nil: break
      case .quit?: return true
      case .help?:
        let width = ManualInput.commands.map(\.call.count).max() ?? 0
        for (call, summary) in ManualInput.commands {
          context.console.note(
            "  \(call)\(String(repeating: " ", count: width - call.count + 2))\(summary)")
        }
      case .clients?: await list(server)
      case .info(let number)?: try await show(number, server)
      case .file(let path, let selection)?:
        try await act(.send(configuration.kind, try contents(of: path)), on: selection, server)
      case .faults?: list(server.faults)
      case .addFault(let fault)?: server.add(fault)
      case .clearFaults?:
        let count = server.clearFaults()
        context.inform(count == 1 ? "1 fault removed" : "\(count) faults removed")
      case .send(let selection, let text)?:
        let chosen: ClientSelection
        if let selection { chosen = selection } else { chosen = try await onlyClient(of: server) }
        try await act(.send(configuration.kind, Array(text.utf8)), on: chosen, server)
      case .act(let action, let selection)?: try await act(action, on: selection, server)
      }
    } catch {
      context.warn(place + error.message)
    }
    return false
  }

  private func onlyClient(of server: TestServer) async throws(CommandError) -> ClientSelection {
    let numbers = await server.clients.map(\.number)
    guard let first = numbers.first else { throw CommandError("no client is open") }
    guard numbers.count > 1 else { return .client(first) }
    let names = numbers.prefix(10).map { "@\($0)" }.joined(separator: " ")
    throw CommandError("which client? \(names)\(numbers.count > 10 ? " ..." : "") or @all")
  }

  private func act(
    _ action: ClientAction, on selection: ClientSelection, _ server: TestServer
  ) async throws(CommandError) {
    guard await server.perform(action, on: selection) == 0 else { return }
    switch selection {
    case .all: throw CommandError("no client is open")
    case .client(let number): throw CommandError("client \(number) is not open")
    case .path(let pattern): throw CommandError("no client on \(pattern) is open")
    }
  }

  /// A file that can be a message.
  private func contents(of typed: String) throws(CommandError) -> [UInt8] {
    let path = FileNames.expanded(typed)
    let safePath = Self.safe(path)
    let payload: [UInt8]
    do {
      payload = try FileContents.readFile(path)
    } catch let failure as CommandFailure {
      throw CommandError("/file: \(Self.safe(failure.message))")
    } catch {
      throw CommandError("/file: \(Self.safe("\(error)"))")
    }
    if configuration.kind == .text, let problem = InvalidText(payload) {
      throw CommandError("/file: \(safePath) is \(problem.message); start with --binary to send it")
    }
    return payload
  }

  private func list(_ faults: [String]) {
    if faults.isEmpty { context.inform("no faults for new connections") }
    for (index, line) in faults.enumerated() {
      context.console.note("\(index + 1)  \(Self.safe(line))")
    }
  }

  private func list(_ server: TestServer) async {
    let clients = await server.clients
    if clients.isEmpty { context.inform("no client is open") }
    for client in clients { context.console.note(Self.line(client)) }
  }

  private func show(_ number: Int, _ server: TestServer) async throws(CommandError) {
    guard let client = await server.clients.first(where: { $0.number == number }) else {
      throw CommandError("client \(number) is not open")
    }
    let info = client.info
    let rows: [(name: String, value: String?)] = [
      ("subprotocol", info.subprotocol.map(Redaction.subprotocols)),
      ("extensions", info.extensions.isEmpty ? nil : info.extensions.joined(separator: ", ")),
      ("HTTP/2", info.isHTTP2 ? "yes" : nil),
      ("certificate", info.certificateSubject),
      ("faults", info.faults.isEmpty ? nil : info.faults.joined(separator: "; ")),
      ("received", Self.amount(client.traffic.messagesIn, client.traffic.payloadIn)),
      ("sent", Self.amount(client.traffic.messagesOut, client.traffic.payloadOut)),
      ("queued", client.queuedBytes > 0 ? Figures.bytes(client.queuedBytes) : nil),
    ]
    context.console.note(Self.line(client))
    for (name, value) in rows {
      if let value {
        let gap = String(repeating: " ", count: max(0, 13 - name.count))
        context.console.note("  \(name)\(gap)\(Self.safe(value))")
      }
    }
  }

  private static func amount(_ messages: UInt64, _ payload: UInt64) -> String {
    let count = messages == 1 ? "1 message" : "\(Figures.count(Int(clamping: messages))) messages"
    return "\(count), \(Figures.bytes(Int(clamping: payload)))"
  }

  private static func line(_ client: OpenClient) -> String {
    "#\(client.number) \(safe(Redaction.url(client.info.target)))  "
      + "\(Diagnostician.text(client.from))  "
      + "\(Figures.count(Int(clamping: client.traffic.messagesIn))) in, "
      + "\(Figures.count(Int(clamping: client.traffic.messagesOut))) out, "
      + Figures.duration(client.duration.nanoseconds)
  }

  private static func safe(_ text: String) -> String {
    ControlCharacters.escaped(text, keepingNewlines: false, highlight: false)
  }
}
