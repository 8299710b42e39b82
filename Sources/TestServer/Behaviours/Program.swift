import Conversation
import NIOCore
import NIOHTTP1
import NIOPosix
import WebSocketNIO
import WebSocketProtocol

/// Connects a client to a process of its own: messages go to its standard input, and what it writes comes back
/// as messages.
final class Program: Behaviour {
  struct Maker: BehaviourMaker {
    var program: ServedProgram
    var table: ProgramTable
    /// The request, and a slot for the process; nil before the upgrade is admitted.
    var admission: Admission?

    struct Admission: Sendable {
      var request: ProgramEnvironment.Request
      var slot: ProgramSlot
    }

    func admitting(
      _ request: HTTPRequest, _ target: RequestTarget, subprotocol: String?
    ) throws(Refusal) -> any BehaviourMaker {
      guard let slot = table.take() else {
        throw Refusal(
          .serviceUnavailable, "the limit of \(ServedProgram.maxProcesses) processes is reached",
          fields: [("Retry-After", "1")])
      }
      var admitted = self
      admitted.admission = Admission(
        request: ProgramEnvironment.Request(
          target: target, uri: request.head.uri, fields: request.head.headers,
          subprotocol: subprotocol, remoteAddress: request.remoteAddress?.ipAddress,
          remotePort: request.remoteAddress?.port),
        slot: slot)
      return admitted
    }

    func makeBehaviour(for client: ServedClient) -> any Behaviour { Program(client, self) }
  }

  let client: ServedClient
  private let program: ServedProgram
  /// Consumed when the process starts.
  private var admission: Maker.Admission?
  private let startedAt = NIODeadline.now()

  private var process: ServedProcess?
  private var input: EventLoopFuture<any NIOCore.Channel>?
  private var output: EventLoopFuture<any NIOCore.Channel>?
  private var errors: EventLoopFuture<any NIOCore.Channel>?
  /// The streams that are to be read again once the client can take more.
  private var waiting: [EventLoopFuture<any NIOCore.Channel>] = []

  /// Bytes on their way to the process.
  private var inputBytes = 0
  private var hasInput = false
  private var hasOutput = false
  private var silence: Scheduled<Void>?
  /// The streams that have not ended.
  private var openOutputs = 0
  private var end: ProgramEnd?
  /// Whether the connection is being closed because of the output, not because the process has ended.
  private var isRejected = false

  /// Bytes on their way to the process above which reading from the client stops.
  private static let maxInput = 1 << 20
  /// Bytes in a delay fault above which reading from the process stops.
  private static let maxDelayed = 1 << 20
  /// Time without output after which the log says why that may be.
  private static let silenceLimit = TimeAmount.seconds(5)

  init(_ client: ServedClient, _ maker: Maker) {
    self.client = client
    program = maker.program
    admission = maker.admission
  }

  // MARK: The process

  func opened(_ handler: ConnectionHandler) {
    client.opened(handler)
    guard let admission else { preconditionFailure("an upgrade that was not admitted") }
    self.admission = nil
    do throws(SystemFailure) {
      try start(admission)
    } catch {
      reject(.internalError, "cannot start the program: \(error.reason)")
    }
  }

  private func start(_ admission: Maker.Admission) throws(SystemFailure) {
    let process = try ServedProcess(
      program,
      environment: ProgramEnvironment.variables(program, admission.request, client: client.number),
      hasInput: true, slot: admission.slot)
    self.process = process
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let me = NIOLoopBound(self, eventLoop: client.registry.loop)
    let home = client.registry.loop
    input = process.streams.input.map {
      NIOPipeBootstrap(group: loop).takingOwnershipOfDescriptor(output: $0).map {
        $0 as any NIOCore.Channel
      }
    }
    let output = ProgramOutput.open(
      process.streams.output, program.boundary, limit: program.maxMessage, on: loop
    ) { event in home.execute { me.value.handle(event, isError: false) } }
    let errors = ProgramOutput.open(
      process.streams.errors, .newline, limit: ServedProgram.maxErrorLine, on: loop
    ) { event in home.execute { me.value.handle(event, isError: true) } }
    openOutputs = 2
    (self.output, self.errors) = (output, errors)
    for stream in [output, errors] { stream.whenSuccess { $0.read() } }
    Task {
      let end = await process.end
      home.execute { me.value.ended(end) }
    }
  }

  private func ended(_ end: ProgramEnd) {
    self.end = end
    guard openOutputs > 0 else { return finish() }
    // What the program started may hold its output open. What the process itself has written has been read: NIO reads a
    // pipe to its end when the last writer has gone.
    let (process, streams, grace) = (
      process, [output, errors], Duration.nanoseconds(program.grace.nanoseconds)
    )
    Task {
      try? await Task.sleep(for: grace)
      process?.release()
      // A process that has left the group does not keep the connection.
      for stream in streams { stream?.whenSuccess { $0.close(promise: nil) } }
    }
  }

  /// The process and its output have ended.
  private func finish() {
    guard let end else { return }
    silence?.cancel()
    process?.release()
    client.registry.report(
      .program(client: client.number, .ended(end, after: .now() - startedAt)))
    guard !isRejected else { return }
    switch end {
    case .exited(0): close(.normal, "")
    case .exited, .killed: close(.internalError, end.text)
    }
  }

  // MARK: To the process

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    client.received(kind, payload)
    guard let input else { return }
    var bytes = ByteBuffer(bytes: payload)
    switch program.boundary {
    case .newline: bytes.writeInteger(UInt8(0x0A))
    case .null: bytes.writeInteger(UInt8(0x00))
    case .none: break
    }
    let count = bytes.readableBytes
    inputBytes += count
    if inputBytes > Self.maxInput { client.handler?.setReading(false) }
    watchForSilence()
    let home = client.registry.loop
    let me = NIOLoopBound(self, eventLoop: home)
    input.whenComplete { [bytes] result in
      switch result {
      case .success(let channel):
        // A process that has closed its input is not an error: it may still have something to say.
        channel.writeAndFlush(bytes).whenComplete { _ in
          home.execute { me.value.written(count) }
        }
      case .failure: home.execute { me.value.written(count) }
      }
    }
  }

  private func written(_ bytes: Int) {
    let wasFull = inputBytes > Self.maxInput
    inputBytes -= bytes
    if wasFull, inputBytes <= Self.maxInput { client.handler?.setReading(true) }
  }

  private func watchForSilence() {
    guard !hasInput, !hasOutput, !program.usesTerminal else { return }
    hasInput = true
    silence = client.registry.loop.assumeIsolated().scheduleTask(in: Self.silenceLimit) {
      [weak self] in
      guard let self, !self.hasOutput else { return }
      self.client.registry.report(
        .program(client: self.client.number, .silent(program: self.program.command[0])))
    }
  }

  // MARK: From the process

  private func handle(_ event: ProgramOutput.Event, isError: Bool) {
    switch event {
    case .messages(let messages):
      if isError, !program.sendsErrors {
        for line in messages {
          client.registry.report(
            .program(client: client.number, .errorLine(String(buffer: line))))
        }
      } else {
        send(messages, isError: isError)
      }
      readMore(isError ? errors : output)
    case .tooLong:
      // The process gets SIGPIPE if it goes on writing.
      if isError {
        close(errors)
      } else {
        reject(.internalError, "a message of the program is over the limit")
        close(output)
      }
      endedOutput()
    case .ended:
      endedOutput()
    }
  }

  private func endedOutput() {
    openOutputs -= 1
    if openOutputs == 0, end != nil { finish() }
  }

  private func send(_ messages: [ByteBuffer], isError: Bool) {
    hasOutput = true
    guard let handler = client.handler, handler.isOpen, !isRejected else { return }
    for message in messages {
      let sent = message.withUnsafeReadableBytes { bytes -> Bool in
        var validator = UTF8Validator()
        guard program.sendsBinary || validator.validateWhole(bytes) else { return false }
        try? handler.prepare { machine throws(SendError) in
          if program.sendsErrors {
            let line = Self.json(bytes, isError: isError)
            line.withUnsafeBytes { client.send(.text, $0, &machine) }
          } else {
            client.send(program.sendsBinary ? .binary : .text, bytes, &machine)
          }
        }
        return true
      }
      guard sent else {
        reject(.internalError, "the output is not valid UTF-8")
        break
      }
    }
    handler.flush()
  }

  /// - Returns: `{"stream":"stdout","data":"TEXT"}`.
  private static func json(_ text: UnsafeRawBufferPointer, isError: Bool) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("stream", isError ? "stderr" : "stdout")
      writer.member("data", String(decoding: text, as: UTF8.self))
    }
    return writer.bytes
  }

  /// Reads a stream again, once the client can take more.
  private func readMore(_ stream: EventLoopFuture<any NIOCore.Channel>?) {
    guard let stream else { return }
    // The output of a process whose client has left is discarded.
    guard let handler = client.handler, handler.isOpen, !isRejected else {
      return stream.whenSuccess { $0.read() }
    }
    guard client.outlet?.waitingBytes ?? 0 <= Self.maxDelayed else {
      waiting.append(stream)
      client.registry.loop.assumeIsolated().scheduleTask(in: .milliseconds(10)) { [weak self] in
        self?.readWaiting()
      }
      return
    }
    if handler.isWritable { stream.whenSuccess { $0.read() } } else { waiting.append(stream) }
  }

  private func readWaiting() {
    let streams = waiting
    waiting = []
    for stream in streams { readMore(stream) }
  }

  func writabilityChanged(_ isWritable: Bool) {
    if isWritable { readWaiting() }
  }

  // MARK: The end of the connection

  /// Closes the connection because of what the program does.
  private func reject(_ code: CloseCode, _ reason: String) {
    guard !isRejected else { return }
    isRejected = true
    close(code, reason)
  }

  private func close(_ code: CloseCode, _ reason: String) {
    guard let handler = client.handler, handler.isOpen else { return }
    // The Close frame must not overtake messages in a delay fault.
    guard client.outlet?.waitingBytes ?? 0 == 0 else {
      client.registry.loop.assumeIsolated().scheduleTask(in: .milliseconds(10)) { [weak self] in
        self?.close(code, reason)
      }
      return
    }
    try? handler.perform { machine throws(SendError) in
      try machine.sendClose(CloseFrame(code, reason: reason))
    }
  }

  private func close(_ stream: EventLoopFuture<any NIOCore.Channel>?) {
    stream?.whenSuccess { $0.close(promise: nil) }
  }

  func closed(_ outcome: CloseOutcome) {
    client.closed(outcome)
    silence?.cancel()
    guard let process else { return }
    let output = program.usesTerminal ? output : nil
    // The end of the input follows the last message. A pseudo-terminal has none: it hangs up.
    input?.whenSuccess { channel in
      channel.writeAndFlush(ByteBuffer()).whenComplete { _ in
        channel.close(promise: nil)
        output?.whenSuccess { $0.close(promise: nil) }
      }
    }
    readWaiting()
    let grace = Duration.nanoseconds(program.grace.nanoseconds)
    guard end == nil else { return }
    Task {
      try? await Task.sleep(for: grace)
      process.terminate()
    }
  }
}
