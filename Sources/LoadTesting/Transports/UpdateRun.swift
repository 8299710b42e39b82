import NIOCore
import NIOHTTP1
import WebSocketProtocol

/// What all arms of a comparison share.
struct ArmSetting: Sendable {
  var plan: TransportPlan
  var endpoints: TransportEndpoints
  var loop: any EventLoop
  /// The processor time of the server so far, in nanoseconds; nil if it is not known.
  var serverTime: @Sendable () -> Int64?
  /// Distinguishes the updates of this run from others.
  var tag: String
}

/// One arm with updates in one block: clients that receive, and a publisher. Used on its event loop only.
///
/// Polls cost bytes and processor time without updates too: theirs are those of the measured part of the block,
/// which begins one interval after the first update, so that a poll finds what one interval brings at both ends.
/// Those of other transports are of all updates, from before the first to after the last.
final class UpdateRun {
  private let arm: TransportArm
  private let block: Int
  private let setting: ArmSetting
  private let done: (Result<ArmResult, TransportFailure>) -> Void
  private var receipts: UpdateReceipts
  private var readers: [any UpdateReader] = []
  private var publisher: HTTPConnection?
  private var isPublishing = false
  /// Updates that wait for the answer to the one before them.
  private var unsent = CircularBuffer<[UInt8]>()
  private var acknowledgements = LatencyHistogram()
  private var newest = 0
  private var lost = 0
  private var opening: [Int?] = []
  private var before: Snapshot?
  private var after: Snapshot?
  private var isOver = false
  private var isDone = false

  /// Acknowledgements that the kernel has delayed have been sent after this time.
  static let settling = TimeAmount.milliseconds(150)
  /// How long an update may take beyond the interval of its polls.
  private static let patience: Int64 = 2_000_000_000

  private struct Snapshot {
    var wireBytes: Int?
    var serverTime: Int64?
  }

  init(
    _ arm: TransportArm, block: Int, _ setting: ArmSetting,
    _ done: @escaping (Result<ArmResult, TransportFailure>) -> Void
  ) {
    self.arm = arm
    self.block = block
    self.setting = setting
    self.done = done
    receipts = UpdateReceipts(
      clients: setting.plan.clients, tag: "\(setting.tag)-\(block)-\(arm.key)")
  }

  func begin() {
    HTTPConnection.open(setting.endpoints, on: setting.loop) { [self] result in
      switch result {
      case .success(let connection):
        publisher = connection
        connection.send(setting.endpoints.request(.GET, "/t/poll")) { [self] reply in
          switch reply.news {
          case .success(let news): open(since: news.next)
          case .failure(let failure): end(.failure(failure))
          }
        }
      case .failure(let failure): end(.failure(failure))
      }
    }
  }

  private func open(since: String) {
    newest = Int(since) ?? 0
    var waiting = setting.plan.clients
    for client in 0..<setting.plan.clients {
      let one = UpdateReaderSetting(
        endpoints: setting.endpoints, loop: setting.loop, since: since
      ) { [self] updates in
        receipts.receive(updates, client: client, at: MonotonicClock.now())
        endIfComplete()
      } failed: { [self] _ in
        lost += 1
      }
      let phase = arm.interval.map {
        setting.plan.phase(of: client, block: block, interval: $0)
      }
      guard let reader = arm.makeReader(one, phase: phase ?? 0) else { continue }
      readers.append(reader)
      reader.open { [self] result in
        if case .failure(let failure) = result { return end(.failure(failure)) }
        waiting -= 1
        if waiting == 0 { after(Self.settling) { self.start() } }
      }
    }
  }

  private func after(_ time: TimeAmount, _ work: @escaping () -> Void) {
    setting.loop.assumeIsolated().scheduleTask(in: time) { if !self.isDone { work() } }
  }

  private func start() {
    opening = readers.map(\.wireBytes)
    for reader in readers { reader.begin() }
    let plan = setting.plan
    let now = MonotonicClock.now()
    let start = now + plan.warmUp
    for offset in plan.schedule(ofBlock: block) {
      after(.nanoseconds(start + offset - now)) {
        self.publish(at: start + offset, measured: offset >= 0)
      }
    }
    before = snapshot()
    if arm.interval != nil {
      after(.nanoseconds(plan.warmUp)) { self.before = self.snapshot() }
    }
    after(.nanoseconds(plan.duration)) {
      self.isOver = true
      if self.arm.interval != nil { self.after = self.snapshot() }
      self.endIfComplete()
    }
    let limit = plan.duration + (arm.interval ?? 0) + Self.patience
    after(.nanoseconds(limit)) { self.finish() }
  }

  private func snapshot() -> Snapshot {
    let bytes = readers.map(\.wireBytes)
    return Snapshot(
      wireBytes: bytes.contains(nil) ? nil : bytes.reduce(0) { $0 + ($1 ?? 0) },
      serverTime: setting.serverTime())
  }

  private func publish(at time: Int64, measured: Bool) {
    unsent.append(receipts.publish(at: time, measured: measured))
    if !isPublishing { publishNext() }
  }

  private func publishNext() {
    guard let update = unsent.popFirst(), let publisher else { return }
    isPublishing = true
    let began = MonotonicClock.now()
    publisher.send(
      setting.endpoints.request(.POST, "/t/publish"), body: ByteBuffer(bytes: update)
    ) { [self] result in
      isPublishing = false
      switch result {
      case .success(let response) where response.status == 202:
        newest = Int(String(buffer: response.body)) ?? newest
        acknowledgements.record(MonotonicClock.now() - began)
        publishNext()
      case .success(let response):
        end(.failure(.answer(target: "/t/publish", status: response.status)))
      case .failure(let failure): end(.failure(failure))
      }
    }
  }

  private func endIfComplete() {
    guard isOver, receipts.delivered == receipts.expected else { return }
    isOver = false
    guard arm.interval == nil else { return finish() }
    // The last acknowledgements are on their way.
    after(Self.settling) { self.finish() }
  }

  private func finish() {
    var prediction = TransportPrediction(
      host: setting.endpoints.url.hostField, digits: Double(String(newest).count))
    let plan = setting.plan
    let rate = Double(receipts.published) / (Double(plan.measured) / 1e9)
    if let size = headerSize { prediction.headerSize = size }
    var result = ArmResult(
      arm, block: block, latency: receipts.age.summary([.p50, .p99]),
      predictedBytes: prediction.bytes(arm, updates: rate))
    result.published = receipts.published
    result.expected = receipts.expected
    result.delivered = receipts.delivered
    result.batches = receipts.batches
    result.duplicates = receipts.duplicates
    result.foreign = receipts.foreign
    result.lost = lost
    var punctuality = Punctuality()
    for reader in readers { punctuality.add(reader.punctuality) }
    (result.requests, result.late) = (punctuality.requests, punctuality.late)
    result.acknowledgement = acknowledgements.estimate(.p50)
    let last = after ?? snapshot()
    let each = Double(max(1, arm.interval == nil ? receipts.all : receipts.expected))
    if let first = before?.wireBytes, let bytes = last.wireBytes {
      result.wireBytes = Double(bytes - first) / each
    }
    if let first = before?.serverTime, let time = last.serverTime {
      result.serverTime = Double(time - first) / each
    }
    let bytes = opening.compactMap(\.self)
    if bytes.count == opening.count, let sum = Optional(bytes.reduce(0, +)), sum > 0 {
      result.openingBytes = Double(sum) / Double(bytes.count)
    }
    end(.success(result))
  }

  private var headerSize: Int? { publisher?.headerSize }

  private func end(_ result: Result<ArmResult, TransportFailure>) {
    guard !isDone else { return }
    isDone = true
    publisher?.close()
    for reader in readers { reader.close() }
    readers = []
    done(result)
  }
}
