import NIOCore
import NIOEmbedded
import NIOHTTP1
import WebSocketNIO
import WebSocketProtocol

/// HTTP heads of a peer, and the frames behind them, through the handlers of the product on a
/// channel without a socket.
enum HeadTargets {
  /// What came of the bytes, seen from outside.
  private struct Exchange: Equatable {
    var said: [UInt8] = []
    var heard: [HeardStep] = []
    /// How the opening ended, in the words of its value.
    var opening: String?
    var outcome: CloseOutcome?
    var isOpen = true
  }

  /// Options: 0 the server agrees on permessage-deflate, 1 it echoes.
  static func request(_ bytes: UnsafeRawBufferPointer) -> String? {
    let input = FuzzInput(bytes)
    return difference(whole: serve(input.whole, input), cut: serve(input.pieces, input))
  }

  private static func serve(_ pieces: [ArraySlice<UInt8>], _ input: FuzzInput) -> Exchange {
    let recorder = Recorder(echoes: input.option(1))
    let deflates = input.option(0)
    // Safe: an embedded channel runs its handlers on the thread that feeds it, which is this one.
    nonisolated(unsafe) let unsafeRecorder = recorder
    let handler = ServerUpgradeHandler(ServerConfiguration()) { request in
      switch ServerHandshake.judge(request.head) {
      case .upgrade(let upgrade):
        let deflate =
          deflates ? DeflateChoice.answer(upgrade.extensions, wishes: DeflateParameters()) : nil
        return .upgrade(
          AcceptedUpgrade(
            upgrade, subprotocol: upgrade.subprotocols.first, deflate: deflate
          ) { _ in unsafeRecorder })
      case .notAnUpgrade: return .reply(HTTPReply(.ok, text: "a page"))
      case .refuse(let refusal): return .reply(HTTPReply(refusal.status, text: refusal.explanation))
      }
    }
    return exchange(pieces, recorder) { try handler.install(on: $0) }
  }

  /// Options: 0 permessage-deflate is offered, 1 subprotocols are, 2 messages are echoed.
  static func response(_ bytes: UnsafeRawBufferPointer) -> String? {
    let input = FuzzInput(bytes)
    return difference(whole: call(input.whole, input), cut: call(input.pieces, input))
  }

  private static func call(_ pieces: [ArraySlice<UInt8>], _ input: FuzzInput) -> Exchange {
    let recorder = Recorder(echoes: input.option(2))
    var offer: DeflateParameters?
    if input.option(0) {
      offer = DeflateParameters()
      offer?.clientMaxWindowBits = .understood
    }
    let handshake = ClientHandshake(
      nonce: (0, 0), subprotocols: input.option(1) ? ["chat", "superchat"] : [], deflate: offer)
    let url = WebSocketURL(security: .plain, endpoint: .host("localhost", port: 80))
    var opening: String?
    // Safe, as above.
    nonisolated(unsafe) let unsafeRecorder = recorder
    let handler = ClientUpgradeHandler(
      ClientConfiguration(url: url), handshake, HandshakeTimings(), destination: nil,
      { _ in unsafeRecorder },
      progress: { _ in },
      settle: { result in
        switch result {
        case .success(let info): opening = "\(info.subprotocol ?? "-") \(info.headers)"
        case .failure(.malformedReply(let kind, _)): opening = "malformed: \(kind)"
        case .failure(let error): opening = "\(error)"
        }
      })
    var exchange = exchange(pieces, recorder) { try handler.install(on: $0) }
    exchange.opening = opening
    // Masking keys are of the system's generator: what was said is not the same twice.
    exchange.said = []
    return exchange
  }

  private static func exchange(
    _ pieces: [ArraySlice<UInt8>], _ recorder: Recorder,
    install: (EmbeddedChannel) throws -> Void
  ) -> Exchange {
    let channel = EmbeddedChannel()
    channel.allowRemoteHalfClosure = true
    var exchange = Exchange()
    do {
      try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 80)).wait()
      try install(channel)
    } catch {
      exchange.opening = "\(error)"
    }
    for piece in pieces where channel.isActive && !piece.isEmpty {
      _ = try? channel.writeInbound(ByteBuffer(bytes: piece))
      channel.embeddedEventLoop.run()
    }
    while let written = try? channel.readOutbound(as: ByteBuffer.self) {
      exchange.said += Array(written.readableBytesView)
    }
    exchange.isOpen = channel.isActive
    _ = try? channel.finish()
    // A timer that nobody cancels holds its connection until it runs.
    channel.embeddedEventLoop.advanceTime(by: .seconds(60))
    exchange.heard = recorder.heard
    exchange.outcome = recorder.outcome
    return exchange
  }
}

/// Writes down what it is told.
private final class Recorder: ConnectionConsumer {
  private(set) var heard: [HeardStep] = []
  private(set) var outcome: CloseOutcome?
  private let echoes: Bool

  init(echoes: Bool) {
    self.echoes = echoes
  }

  func opened(_ handler: ConnectionHandler) {}

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    heard.append(.message(kind, Array(payload)))
    if echoes { try? machine.send(kind, payload) }
  }

  func received(control step: Step, _ machine: inout ConnectionMachine) {
    heard.append(HeardStep(step))
  }

  func closed(_ outcome: CloseOutcome) {
    self.outcome = outcome
  }
}
