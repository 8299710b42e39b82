import NIOCore
import NIOHTTP1
import WebSocketNIO
import WebSocketProtocol

/// One client that receives updates. Used on its event loop only.
protocol UpdateReader: AnyObject {
  /// Connects, so far as the transport does that before the first update.
  func open(_ done: @escaping (Result<Void, TransportFailure>) -> Void)
  /// Polls from now on; for transports that push there is nothing to do.
  func begin()
  /// What it has put on the wire so far; nil if that is not known.
  var wireBytes: Int? { get }
  /// The polls so far.
  var punctuality: Punctuality { get }
  func close()
}

extension UpdateReader {
  var punctuality: Punctuality { Punctuality() }
}

/// How many requests of a fixed interval began in time.
struct Punctuality {
  private(set) var requests = 0
  private(set) var late = 0

  /// Records a request that begins now.
  mutating func begin(due: NIODeadline, interval: Int64) {
    requests += 1
    if (NIODeadline.now() - due).nanoseconds > interval / 10 { late += 1 }
  }

  mutating func add(_ other: Punctuality) {
    requests += other.requests
    late += other.late
  }
}

/// What a reader is made of.
struct UpdateReaderSetting {
  var endpoints: TransportEndpoints
  var loop: any EventLoop
  /// The newest update before the arm.
  var since: String
  /// Receives the updates of one message, event or reply.
  var receive: ([Substring]) -> Void
  /// Called when the client cannot go on.
  var failed: (TransportFailure) -> Void
}

extension TransportArm {
  /// Makes a client of the arm.
  ///
  /// - Parameters:
  ///   - setting: What it is made of.
  ///   - phase: The offset of its polls within the interval, in nanoseconds.
  /// - Returns: nil if the arm has no updates.
  func makeReader(_ setting: UpdateReaderSetting, phase: Int64) -> (any UpdateReader)? {
    switch self {
    case .webSocket: WebSocketReader(setting)
    case .eventStream: EventStreamReader(setting)
    case .longPoll: LongPollReader(setting)
    case .poll(let interval):
      PollReader(setting, interval: interval, phase: phase, isFresh: false)
    case .freshPoll(let interval):
      PollReader(setting, interval: interval, phase: phase, isFresh: true)
    case .webSocketEcho, .postEcho, .freshPostEcho: nil
    }
  }
}

/// A WebSocket connection without a consumer of its own: what it receives goes to a closure.
final class WebSocketLine: ConnectionConsumer {
  private var handler: ConnectionHandler?
  var receive: (UnsafeRawBufferPointer) -> Void = { _ in }
  var ended: () -> Void = {}

  /// What the connection has put on the wire so far; nil if that is not known.
  var wireBytes: Int? { handler?.wireTraffic?.wireBytes }
  /// The IP and TCP headers of one segment in bytes; nil if they are not known.
  var headerSize: Int? { handler?.wireTraffic?.headerSize }

  func open(
    _ endpoints: TransportEndpoints, _ target: String, on loop: any EventLoop,
    _ done: @escaping (Result<Void, TransportFailure>) -> Void
  ) {
    let line = NIOLoopBound(self, eventLoop: loop)
    Client.open(endpoints.webSocket(target), addresses: endpoints.addresses, on: loop) { _ in
      line.value
    }.assumeIsolated().whenComplete { result in
      switch result {
      case .success: done(.success(()))
      case .failure(let error as ConnectError): done(.failure(.connect(error)))
      case .failure: done(.failure(.ended(target: target)))
      }
    }
  }

  func send(_ text: [UInt8]) {
    // A connection that has ended reports that itself.
    try? handler?.perform { machine throws(SendError) in
      text.withUnsafeBytes { bytes in try? machine.send(.text, bytes) }
    }
  }

  func close() {
    ended = {}
    handler?.abandon()
  }

  func opened(_ handler: ConnectionHandler) { self.handler = handler }

  func received(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, _ machine: inout ConnectionMachine
  ) {
    receive(payload)
  }

  func closed(_ outcome: CloseOutcome) {
    handler = nil
    ended()
  }
}

private final class WebSocketReader: UpdateReader {
  private static let target = "/t/ws"
  private let setting: UpdateReaderSetting
  private let line = WebSocketLine()

  init(_ setting: UpdateReaderSetting) { self.setting = setting }

  func open(_ done: @escaping (Result<Void, TransportFailure>) -> Void) {
    line.receive = { [setting] in setting.receive([Substring(decoding: $0, as: UTF8.self)]) }
    line.ended = { [setting] in setting.failed(.ended(target: Self.target)) }
    line.open(setting.endpoints, Self.target, on: setting.loop, done)
  }

  func begin() {}
  var wireBytes: Int? { line.wireBytes }
  func close() { line.close() }
}

private final class EventStreamReader: UpdateReader {
  private static let target = "/t/sse"
  private let setting: UpdateReaderSetting
  private var connection: HTTPConnection?
  /// The beginning of an event whose end has not come.
  private var pending = ""

  init(_ setting: UpdateReaderSetting) { self.setting = setting }

  func open(_ done: @escaping (Result<Void, TransportFailure>) -> Void) {
    HTTPConnection.open(setting.endpoints, on: setting.loop) { [self] result in
      do throws(TransportFailure) {
        let connection = try result.get()
        self.connection = connection
        connection.send(
          setting.endpoints.request(.GET, Self.target), stream: { self.receive($0) }
        ) { response in
          if case .success(let response) = response, response.status != 200 {
            return done(.failure(.answer(target: Self.target, status: response.status)))
          }
          done(response.map { _ in })
        }
      } catch {
        done(.failure(error))
      }
    }
  }

  private func receive(_ piece: ByteBuffer) {
    pending += String(buffer: piece)
    var updates: [Substring] = []
    while let end = pending.firstRange(of: "\n\n") {
      for line in pending[..<end.lowerBound].split(separator: "\n") where line.hasPrefix("data:") {
        updates.append(Substring(String(line.dropFirst(5))))
      }
      pending = String(pending[end.upperBound...])
    }
    if !updates.isEmpty { setting.receive(updates) }
  }

  func begin() {}
  var wireBytes: Int? { connection?.wireBytes }
  func close() { connection?.close() }
}

private final class LongPollReader: UpdateReader {
  private let setting: UpdateReaderSetting
  private var connection: HTTPConnection?
  private var since: String
  private var isClosed = false

  init(_ setting: UpdateReaderSetting) {
    self.setting = setting
    since = setting.since
  }

  func open(_ done: @escaping (Result<Void, TransportFailure>) -> Void) {
    HTTPConnection.open(setting.endpoints, on: setting.loop) { [self] result in
      if case .success(let connection) = result {
        self.connection = connection
        poll()
      }
      done(result.map { _ in })
    }
  }

  private func poll() {
    connection?.send(setting.endpoints.request(.GET, "/t/longpoll?since=\(since)")) { [self] in
      switch $0.news {
      case .success(let news):
        since = news.next
        if !news.updates.isEmpty { setting.receive(news.updates) }
        poll()
      case .failure(let failure): if !isClosed { setting.failed(failure) }
      }
    }
  }

  func begin() {}
  var wireBytes: Int? { connection?.wireBytes }

  func close() {
    isClosed = true
    connection?.close()
  }
}

private final class PollReader: UpdateReader {
  private let setting: UpdateReaderSetting
  private let interval: Int64
  private let phase: Int64
  private let isFresh: Bool
  private var connection: HTTPConnection?
  private var since: String
  private var due = NIODeadline.now()
  private var isClosed = false
  private(set) var punctuality = Punctuality()
  /// Of the connections that have ended; nil if one of them is not known.
  private var earlier: Int? = 0

  init(_ setting: UpdateReaderSetting, interval: Int64, phase: Int64, isFresh: Bool) {
    self.setting = setting
    self.interval = interval
    self.phase = phase
    self.isFresh = isFresh
    since = setting.since
  }

  func open(_ done: @escaping (Result<Void, TransportFailure>) -> Void) {
    guard !isFresh else { return done(.success(())) }
    HTTPConnection.open(setting.endpoints, on: setting.loop) { [self] result in
      connection = try? result.get()
      done(result.map { _ in })
    }
  }

  func begin() {
    due = .now() + .nanoseconds(phase)
    wait()
  }

  private func wait() {
    setting.loop.assumeIsolated().scheduleTask(deadline: due) { [self] in
      guard !isClosed else { return }
      punctuality.begin(due: due, interval: interval)
      // The next poll keeps to the schedule, however late this one is answered.
      due = due + .nanoseconds(interval)
      guard isFresh else { return poll(connection) }
      HTTPConnection.open(setting.endpoints, on: setting.loop) { [self] result in
        switch result {
        case .success(let connection): poll(connection)
        case .failure(let failure): fail(failure)
        }
      }
    }
  }

  private func poll(_ connection: HTTPConnection?) {
    connection?.send(setting.endpoints.request(.GET, "/t/poll?since=\(since)")) { [self] in
      switch $0.news {
      case .success(let news):
        since = news.next
        if !news.updates.isEmpty { setting.receive(news.updates) }
        if isFresh { connection?.finish { self.add($0) } }
        wait()
      case .failure(let failure): fail(failure)
      }
    }
  }

  private func fail(_ failure: TransportFailure) {
    if !isClosed { setting.failed(failure) }
  }

  private func add(_ wireBytes: Int?) {
    guard let known = earlier, let wireBytes else { return earlier = nil }
    earlier = known + wireBytes
  }

  var wireBytes: Int? { isFresh ? earlier : connection?.wireBytes }

  func close() {
    isClosed = true
    connection?.close()
  }
}

extension Result where Success == HTTPConnection.Response, Failure == TransportFailure {
  /// The updates of a reply to a poll, and the number to ask for next.
  var news: Result<(updates: [Substring], next: String), TransportFailure> {
    flatMap { response in
      guard let next = response.fields["Next"].first, [200, 204].contains(response.status) else {
        return .failure(.answer(target: "/t/poll", status: response.status))
      }
      return .success((String(buffer: response.body).split(separator: "\n"), next))
    }
  }
}
