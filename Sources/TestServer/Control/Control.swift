import Conversation
import NIOCore
import NIOHTTP1
import WebSocketNIO
import WebSocketProtocol

/// Answers the requests that control a server while it runs.
struct Control: Sendable {
  let journal: Journal
  private let text: any ControlText
  private let credentials: AccessCredentials?
  private let clients: ServedClients
  private let faults: ServerFaults
  private let maxMessage: Int
  private let report: @Sendable (ServerEvent) -> Void

  /// In bytes.
  private static let maxFault = 8192

  /// - Parameters:
  ///   - settings: The token and the words.
  ///   - configuration: Of the server.
  ///   - journal: What has happened.
  ///   - clients: The clients to act on.
  ///   - faults: The faults to change.
  ///   - report: Receives refusals of bodies.
  init(
    _ settings: ControlConfiguration, _ configuration: TestServerConfiguration, _ journal: Journal,
    _ clients: ServedClients, _ faults: ServerFaults,
    report: @escaping @Sendable (ServerEvent) -> Void
  ) {
    (self.journal, self.clients, self.faults, self.report) = (journal, clients, faults, report)
    text = settings.text
    credentials =
      settings.token.map { AccessCredentials(basic: nil, bearer: $0, allowsQuery: false) }
      ?? configuration.credentials
    maxMessage = configuration.limits.messageSize
  }

  /// Whether a request is for this, and not for the mode or a test path.
  static func isFor(_ target: RequestTarget) -> Bool {
    target.segments.first == ControlRequests.segment
  }

  /// Who may ask: no page of another origin, whatever other requests are allowed to, and nobody without the credentials.
  func judgeAccess(_ request: HTTPRequest, _ target: RequestTarget) -> Refusal? {
    guard OriginRules.isOwn(request.head.headers) else {
      var refusal = Refusal(.forbidden, "only pages of this server may control it")
      refusal.isForOrigin = true
      return refusal
    }
    return credentials?.judge(request.head.headers, target)
  }

  /// The answer to a request.
  ///
  /// - Returns: nil if the answer is that to the same path without the first segment.
  /// - Throws: A `Refusal` with the status and one sentence.
  func answer(_ request: HTTPRequest, _ target: RequestTarget) throws(Refusal) -> HTTPAnswer? {
    switch try ControlRequests.find(request.head.method, target) {
    case .asUsual: return nil
    case .clients: return Self.later { Self.json(await list) }
    case .send(let selection): return try sending(to: selection, request)
    case .act(let action, let selection):
      return Self.later { [self] in
        await performed(action, on: selection, "closed", request)
      }
    case .faults: return .reply(Self.json(faultList))
    case .addFault: return adding(request)
    // Not now: the verdict on a request changes nothing.
    case .clearFaults:
      return Self.later { [faults] in Self.json("{\"cleared\":\(faults.clear())}") }
    case .messages(let query):
      return .later { [journal, text] loop in
        loop.makeFutureWithTask {
          .reply(Self.json(await JournalReading.reply(journal, query, text, on: loop)))
        }
      }
    }
  }

  private static func later(_ reply: @escaping @Sendable () async -> HTTPReply) -> HTTPAnswer {
    .later { loop in loop.makeFutureWithTask { .reply(await reply()) } }
  }

  private static func json(_ bytes: [UInt8]) -> HTTPReply {
    HTTPReply(
      .ok,
      headers: [
        ("Content-Type", "application/json"), ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
      ],
      body: bytes)
  }

  private static func json(_ text: String) -> HTTPReply { json(Array((text + "\n").utf8)) }

  // MARK: Clients

  private var list: [UInt8] {
    get async {
      let clients = await clients.open
      var json = JSONWriter()
      json.array(clients) { json, client in
        json.object { json in
          json.member("conn", client.number)
          json.member("path", text.target(client.info.target))
          if let from = text.address(client.from) { json.member("from", from) }
          json.member("seconds", Double(client.duration.nanoseconds / 100_000_000) / 10)
          json.member("in", client.traffic.messagesIn)
          json.member("out", client.traffic.messagesOut)
          json.member("queued", client.queuedBytes)
        }
      }
      json.startLine()
      return json.bytes
    }
  }

  private func sending(
    to selection: ClientSelection, _ request: HTTPRequest
  ) throws(Refusal) -> HTTPAnswer {
    let kind = try Publication.kind(request)
    return .reading(limit: maxMessage) { [self] body in
      guard Publication.isValid(body, kind) else {
        return Publication.invalidText.answer(request, report)
      }
      return Self.later { [self] in
        await performed(
          .send(kind, Array(body.readableBytesView)), on: selection, "delivered", request)
      }
    }
  }

  private func performed(
    _ action: ClientAction, on selection: ClientSelection, _ name: String, _ request: HTTPRequest
  ) async -> HTTPReply {
    let count = await clients.perform(action, on: selection)
    if count == 0, case .client(let number) = selection {
      return Refusal(.notFound, "client \(number) is not open").reply(request, report)
    }
    return Self.json("{\"\(name)\":\(count)}")
  }

  // MARK: Faults

  private var faultList: [UInt8] {
    var json = JSONWriter()
    json.array(Array(faults.lines.enumerated())) { json, fault in
      json.object { json in
        json.member("fault", fault.offset + 1)
        json.member("line", fault.element)
      }
    }
    json.startLine()
    return json.bytes
  }

  private func adding(_ request: HTTPRequest) -> HTTPAnswer {
    .reading(limit: Self.maxFault) { [self] body in
      let refused = { Refusal(.badRequest, $0).answer(request, report) }
      let bytes = Array(body.readableBytesView)
      guard let text = String(validating: bytes, as: UTF8.self) else {
        return refused("the body is not valid UTF-8")
      }
      guard let line = text.split(whereSeparator: \.isNewline).first.map(String.init),
        text.split(whereSeparator: \.isNewline).count == 1
      else { return refused("the body must be one fault, as in: curl -d delay=1s URL") }
      do throws(FaultError) {
        return .reply(Self.json("{\"fault\":\(faults.add(try Faults.parse(line)))}"))
      } catch {
        return refused("fault\(error.fault.map { " " + $0 } ?? ""): \(error.problem)")
      }
    }
  }
}
