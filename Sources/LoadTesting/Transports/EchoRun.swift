import NIOCore
import NIOHTTP1
import WebSocketProtocol

/// One arm with echoes in one block. Used on its event loop only.
final class EchoRun {
  private let arm: TransportArm
  private let block: Int
  private let setting: ArmSetting
  private let done: (Result<ArmResult, TransportFailure>) -> Void
  private var senders: [any EchoSender] = []
  private var roundTrips = LatencyHistogram()
  private var sent = 0
  private var punctuality = Punctuality()
  private var answered = 0
  private var isSending = false
  private var isDone = false
  private var before: (bytes: Int?, time: Int64?)?
  private var headerSize: Int?
  private let payload = [UInt8](repeating: 0x2E, count: TransportPlan.payload)

  init(
    _ arm: TransportArm, block: Int, _ setting: ArmSetting,
    _ done: @escaping (Result<ArmResult, TransportFailure>) -> Void
  ) {
    self.arm = arm
    self.block = block
    self.setting = setting
    self.done = done
  }

  func begin() {
    var waiting = setting.plan.echoClients
    for _ in 0..<setting.plan.echoClients {
      let sender: any EchoSender =
        arm == .webSocketEcho
        ? WebSocketEchoSender(setting) : PostEchoSender(setting, isFresh: arm == .freshPostEcho)
      senders.append(sender)
      sender.open { [self] result in
        if case .failure(let failure) = result { return end(.failure(failure)) }
        waiting -= 1
        if waiting == 0 { after(UpdateRun.settling) { self.start() } }
      }
    }
  }

  private func after(_ time: TimeAmount, _ work: @escaping () -> Void) {
    setting.loop.assumeIsolated().scheduleTask(in: time) { if !self.isDone { work() } }
  }

  private func start() {
    before = (wireBytes, setting.serverTime())
    isSending = true
    let interval = TransportPlan.echoInterval
    for (client, sender) in senders.enumerated() {
      let phase = setting.plan.phase(of: client, block: block, interval: interval)
      let first = NIODeadline.now() + .nanoseconds(phase)
      send(sender, due: first)
    }
    after(.nanoseconds(setting.plan.echoDuration)) {
      self.isSending = false
      // Answers and acknowledgements are on their way.
      self.after(UpdateRun.settling) { self.finish() }
    }
  }

  private var wireBytes: Int? {
    let bytes = senders.map(\.wireBytes)
    return bytes.contains(nil) ? nil : bytes.reduce(0) { $0 + ($1 ?? 0) }
  }

  private func send(_ sender: any EchoSender, due: NIODeadline) {
    setting.loop.assumeIsolated().scheduleTask(deadline: due) { [self] in
      guard isSending else { return }
      sent += 1
      punctuality.begin(due: due, interval: TransportPlan.echoInterval)
      let began = MonotonicClock.now()
      sender.send(payload) { [self] result in
        switch result {
        case .success:
          roundTrips.record(MonotonicClock.now() - began)
          answered += 1
          send(sender, due: due + .nanoseconds(TransportPlan.echoInterval))
        case .failure(let failure): if !isDone { end(.failure(failure)) }
        }
      }
    }
  }

  private func finish() {
    var prediction = TransportPrediction(host: setting.endpoints.url.hostField, digits: 1)
    if let size = senders.first?.headerSize { prediction.headerSize = size }
    var result = ArmResult(
      arm, block: block, latency: roundTrips.summary([.p50, .p99]),
      predictedBytes: prediction.bytes(arm, updates: 0))
    result.published = sent
    result.expected = sent
    result.delivered = answered
    result.batches = answered
    (result.requests, result.late) = (punctuality.requests, punctuality.late)
    let each = Double(max(1, sent))
    if let first = before?.bytes, let last = wireBytes {
      result.wireBytes = Double(last - first) / each
    }
    if let first = before?.time, let last = setting.serverTime() {
      result.serverTime = Double(last - first) / each
    }
    end(.success(result))
  }

  private func end(_ result: Result<ArmResult, TransportFailure>) {
    guard !isDone else { return }
    isDone = true
    for sender in senders { sender.close() }
    senders = []
    done(result)
  }
}

/// A client that sends a message and waits for its echo.
private protocol EchoSender: AnyObject {
  func open(_ done: @escaping (Result<Void, TransportFailure>) -> Void)
  func send(_ payload: [UInt8], _ done: @escaping (Result<Void, TransportFailure>) -> Void)
  /// What it has put on the wire so far; nil if that is not known.
  var wireBytes: Int? { get }
  /// The IP and TCP headers of one segment in bytes.
  var headerSize: Int? { get }
  func close()
}

private final class WebSocketEchoSender: EchoSender {
  private static let target = "/t/echo"
  private let setting: ArmSetting
  private let line = WebSocketLine()
  private var waiting: ((Result<Void, TransportFailure>) -> Void)?

  init(_ setting: ArmSetting) { self.setting = setting }

  func open(_ done: @escaping (Result<Void, TransportFailure>) -> Void) {
    line.receive = { [weak self] _ in self?.answer(.success(())) }
    line.ended = { [weak self] in self?.answer(.failure(.ended(target: Self.target))) }
    line.open(setting.endpoints, Self.target, on: setting.loop, done)
  }

  func send(_ payload: [UInt8], _ done: @escaping (Result<Void, TransportFailure>) -> Void) {
    waiting = done
    line.send(payload)
  }

  private func answer(_ result: Result<Void, TransportFailure>) {
    let waiting = waiting
    self.waiting = nil
    waiting?(result)
  }

  var wireBytes: Int? { line.wireBytes }
  var headerSize: Int? { line.headerSize }
  func close() { line.close() }
}

private final class PostEchoSender: EchoSender {
  private static let target = "/t/echo"
  private let setting: ArmSetting
  private let isFresh: Bool
  private var connection: HTTPConnection?
  private var earlier: Int? = 0
  private(set) var headerSize: Int?

  init(_ setting: ArmSetting, isFresh: Bool) {
    self.setting = setting
    self.isFresh = isFresh
  }

  func open(_ done: @escaping (Result<Void, TransportFailure>) -> Void) {
    guard !isFresh else { return done(.success(())) }
    HTTPConnection.open(setting.endpoints, on: setting.loop) { [self] result in
      connection = try? result.get()
      headerSize = connection?.headerSize
      done(result.map { _ in })
    }
  }

  func send(_ payload: [UInt8], _ done: @escaping (Result<Void, TransportFailure>) -> Void) {
    guard isFresh else { return post(payload, on: connection, done) }
    HTTPConnection.open(setting.endpoints, on: setting.loop) { [self] result in
      switch result {
      case .success(let connection):
        headerSize = connection.headerSize
        post(payload, on: connection, done)
      case .failure(let failure): done(.failure(failure))
      }
    }
  }

  private func post(
    _ payload: [UInt8], on connection: HTTPConnection?,
    _ done: @escaping (Result<Void, TransportFailure>) -> Void
  ) {
    guard let connection else { return done(.failure(.ended(target: Self.target))) }
    connection.send(
      setting.endpoints.request(.POST, Self.target), body: ByteBuffer(bytes: payload)
    ) { [self] result in
      switch result {
      case .success(let response) where response.status == 200:
        done(.success(()))
        if isFresh { connection.finish { self.add($0) } }
      case .success(let response):
        done(.failure(.answer(target: Self.target, status: response.status)))
      case .failure(let failure): done(.failure(failure))
      }
    }
  }

  private func add(_ wireBytes: Int?) {
    guard let known = earlier, let wireBytes else { return earlier = nil }
    earlier = known + wireBytes
  }

  var wireBytes: Int? { isFresh ? earlier : connection?.wireBytes }
  func close() { connection?.close() }
}
