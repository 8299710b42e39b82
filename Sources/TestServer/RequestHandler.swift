import NIOCore
import NIOHTTP1
import Synchronization
import WebSocketNIO
import WebSocketProtocol

/// Answers all requests, with the same rules for pages and upgrades.
///
/// `judge` decides without side effects; `admit` then takes a client slot and draws faults, once.
final class RequestHandler: Sendable {
  private let configuration: TestServerConfiguration
  private let registries: [ObjectIdentifier: NIOLoopBound<ClientRegistry>]
  private let mode: any BehaviourMaker
  private let scripts: ScriptedContext?
  let channels: ChannelAccess
  private let paths: [TestPathEntry]

  /// The rules for all connections; nil if there are none.
  var rules: RuleBook? { scripts?.book }
  private let slots: ClientSlots
  /// The processes of connections.
  let programs = ProgramTable(limit: ServedProgram.maxProcesses)
  let faults: ServerFaults
  /// Answers requests that control the server; nil without them.
  private let control: Control?
  private let report: @Sendable (ServerEvent) -> Void
  private let metrics: MetricsReport
  /// Set when the server stops accepting connections.
  private let isStopping = Atomic<Bool>(false)

  init(
    _ configuration: TestServerConfiguration, _ registries: [NIOLoopBound<ClientRegistry>],
    joined: AsyncStream<Void>.Continuation, counters: EventCounters = EventCounters(),
    journal: Journal? = nil,
    _ report: @escaping @Sendable (ServerEvent) -> Void
  ) {
    self.configuration = configuration
    metrics = MetricsReport(configuration, registries, counters, programs)
    self.report = report
    slots = ClientSlots(
      maxClients: configuration.maxClients, maxUpgrades: configuration.maxUpgrades)
    let faults = ServerFaults(configuration.faults)
    self.faults = faults
    control = configuration.control.map { settings in
      Control(
        settings, configuration, journal ?? Journal(), ServedClients(registries: registries),
        faults,
        report: report)
    }
    self.registries = Dictionary(
      uniqueKeysWithValues: registries.map { (ObjectIdentifier($0.eventLoop), $0) })
    scripts = configuration.scripting.map {
      ScriptedContext(
        $0, registries: registries, queueLimit: configuration.queueLimit)
    }
    let context = BehaviourContext(
      registries: registries, queueLimit: configuration.queueLimit,
      channels: Channels(ChannelSettings(configuration), registries), joined: joined)
    let named = configuration.mode.makeBehaviours(context)
    mode =
      configuration.program.map { [programs] in Program.Maker(program: $0, table: programs) }
      ?? named
    channels = ChannelAccess(named, context, configuration.capture, report: report)
    paths = TestPaths.entries(
      configuration.mode.entry,
      areReplaced: configuration.scripting != nil || configuration.program != nil,
      hasTransports: configuration.hasTransports)
  }

  /// Makes `GET /healthz` return 503 from now on.
  func stop() { isStopping.store(true, ordering: .relaxed) }

  func answer(_ request: HTTPRequest) -> HTTPAnswer { admit(judge(request), request) }

  // MARK: The verdict

  /// The verdict on a request. Checks the handshake, then Host and Origin, then the credentials,
  /// then the path, then the mode.
  func judge(_ request: HTTPRequest) -> RequestVerdict {
    let handshake =
      request.isExtendedConnect
      ? ServerHandshake.judgeExtended(request.head) : ServerHandshake.judge(request.head)
    if case .refuse(let refusal) = handshake {
      return .refuse(
        Refusal(
          refusal.status, refusal.explanation, fields: refusal.headers.map { ($0.key, $0.value) }))
    }
    if let refusal = judgeOrigin(request) { return .refuse(refusal) }
    let target = RequestTarget(request.head.uri)
    let isHealthCheck = handshake == .notAnUpgrade && target.segments == ["healthz"]
    let control = Control.isFor(target) ? control : nil
    if let refusal = control?.judgeAccess(request, target) { return .refuse(refusal) }
    if !isHealthCheck, control == nil,
      let refusal = configuration.credentials?.judge(request.head.headers, target)
    {
      return .refuse(refusal)
    }
    do throws(Refusal) {
      if let control { return try judge(request, target, by: control, handshake) }
      guard case .upgrade(let upgrade) = handshake else { return try judgePage(request, target) }
      return try judgeUpgrade(upgrade, target, request)
    } catch {
      return .refuse(error)
    }
  }

  private func judge(
    _ request: HTTPRequest, _ target: RequestTarget, by control: Control,
    _ handshake: ServerHandshake.Verdict
  ) throws(Refusal) -> RequestVerdict {
    guard case .notAnUpgrade = handshake else {
      throw Refusal(.badRequest, "\(target.path) is not a WebSocket path")
    }
    if let answer = try control.answer(request, target) { return .answer(answer) }
    return try judgePage(request, target.withoutFirstSegment)
  }

  private func judgeUpgrade(
    _ upgrade: ServerHandshake.Request, _ target: RequestTarget, _ request: HTTPRequest
  ) throws(Refusal) -> RequestVerdict {
    let faults = try urlFaults(target)
    switch try action(target, upgrade, request) {
    case .reply(let reply): return .reject(reply, path: target.path)
    case .exchange: throw Refusal(.badRequest, "\(target.path) is not a WebSocket path")
    case .join(let key, let options):
      return try judge(
        upgrade, target,
        PathConnection(behaviour: channels.maker(key).joining(options)), faults)
    case .accept(let connection): return try judge(upgrade, target, connection, faults)
    }
  }

  private func judge(
    _ upgrade: ServerHandshake.Request, _ target: RequestTarget, _ connection: PathConnection,
    _ faults: [FaultRule]
  ) throws(Refusal) -> RequestVerdict {
    let subprotocol =
      connection.subprotocol
      ?? configuration.subprotocols.first(where: upgrade.subprotocols.contains)
    if subprotocol == nil, configuration.requiresSubprotocol {
      let names = configuration.subprotocols
      throw Refusal(
        .badRequest,
        names.count == 1
          ? "offer the subprotocol \(names[0])"
          : "offer one of the subprotocols \(names.joined(separator: ", "))")
    }
    return .upgrade(
      AcceptableUpgrade(
        request: upgrade, target: target, subprotocol: subprotocol,
        deflate: try deflate(upgrade, connection), connection: connection, faults: faults))
  }

  private func deflate(
    _ upgrade: ServerHandshake.Request, _ connection: PathConnection
  ) throws(Refusal) -> DeflateParameters? {
    let standard = connection.requiresDeflate ? DeflateParameters() : nil
    guard let wishes = connection.allowsDeflate ? configuration.deflate ?? standard : standard
    else {
      return nil
    }
    let answer = DeflateChoice.answer(upgrade.extensions, wishes: wishes)
    if answer == nil, connection.requiresDeflate {
      throw Refusal(.badRequest, "offer \(DeflateParameters.name)")
    }
    return answer
  }

  /// These paths are always the mode's: applications and the page use them.
  private static let modePaths: [[String]] = [[], ["ws"], [".ws"]]

  private func action(
    _ target: RequestTarget, _ upgrade: ServerHandshake.Request, _ request: HTTPRequest
  ) throws(Refusal) -> PathAction {
    guard !Self.modePaths.contains(target.segments) else { return try byMode(target) }
    switch find(target) {
    case .entry(let entry, _) where entry.isEventStream:
      throw Refusal(.badRequest, "\(target.path) is an event stream, not a WebSocket path")
    case .entry(let entry, var arguments):
      arguments.method = request.head.method.rawValue
      arguments.fields = request.head.headers
      arguments.isTLS = configuration.tls != nil
      arguments.remoteAddress = request.remoteAddress?.ipAddress
      arguments.offered = upgrade.subprotocols
      return try Self.action(entry, arguments)
    case .incomplete(let problem): throw Refusal(.badRequest, "\(problem)")
    case .none:
      guard !isStrict(target) else { throw unknown(target) }
      return try byMode(target)
    }
  }

  private func find(_ target: RequestTarget) -> TestPaths.Match {
    TestPaths.find(target, in: paths, maxMessage: configuration.limits.messageSize)
  }

  private func byMode(_ target: RequestTarget) throws(Refusal) -> PathAction {
    let arguments = PathArguments(
      captured: [:], target: target, maxMessage: configuration.limits.messageSize)
    do throws(InvalidArgument) {
      return .accept(PathConnection(behaviour: try mode.reading(arguments)))
    } catch {
      throw Refusal(.badRequest, "\(error)")
    }
  }

  private static func action(
    _ entry: TestPathEntry, _ arguments: PathArguments
  ) throws(Refusal) -> PathAction {
    do throws(InvalidArgument) {
      return try TestPaths.action(entry, arguments)
    } catch {
      throw Refusal(.badRequest, "\(error)")
    }
  }

  /// Whether the mode does not answer on paths that are not test paths.
  private func isStrict(_ target: RequestTarget) -> Bool {
    configuration.isStrictAboutPaths || isTransport(target)
  }

  /// Paths that belong neither to the mode nor to scripts.
  private func isTransport(_ target: RequestTarget) -> Bool {
    configuration.hasTransports && target.segments.first == TransportPaths.segment
  }

  private func unknown(_ target: RequestTarget) -> Refusal {
    let near = TestPaths.nearest(to: target, in: paths).map { "; did you mean \($0)?" } ?? ";"
    return Refusal(.notFound, "unknown path \(target.path)\(near) GET /paths lists all")
  }

  private func urlFaults(_ target: RequestTarget) throws(Refusal) -> [FaultRule] {
    guard configuration.allowsURLFaults else { return [] }
    do throws(FaultError) {
      var rules: [FaultRule] = []
      for text in target.values("fault") { rules.append(try Faults.parse(text, isURL: true)) }
      return rules
    } catch {
      throw Refusal(.badRequest, "fault\(error.fault.map { " " + $0 } ?? ""): \(error.problem)")
    }
  }

  /// The verdict on a request that is not an upgrade.
  private func judgePage(
    _ request: HTTPRequest, _ target: RequestTarget
  ) throws(Refusal) -> RequestVerdict {
    let head = request.head
    if let verdict = try channels.updates.judge(request, target, find(target), report: report) {
      return try withFaults(verdict, target)
    }
    if isTransport(target), case .none = find(target) { throw unknown(target) }
    switch try channels.judge(request, target, find(target)) {
    case let verdict?: return try withFaults(verdict, target)
    case nil: break
    }
    guard head.method == .GET || head.method == .HEAD else {
      return .reply(
        HTTPReply(.methodNotAllowed, text: "only GET", headers: [("Allow", "GET, HEAD")]))
    }
    switch target.segments {
    case [], [".ws"]: return .page
    case ["favicon.ico"]: return .reply(HTTPReply(.noContent))
    case ["healthz"]:
      return .reply(
        isStopping.load(ordering: .relaxed)
          ? HTTPReply(.serviceUnavailable, text: "stopping") : HTTPReply(.ok, text: "ok"))
    case ["metrics"]: return .metrics
    case ["paths"]:
      return .reply(
        HTTPReplyText(
          status: .ok, fields: [("Content-Type", "application/json")],
          body: TestPaths.json(paths)
        ).reply)
    default: break
    }
    switch find(target) {
    case .entry(let entry, let arguments) where entry.answersHTTP:
      guard case .reply(let reply) = try Self.action(entry, arguments) else { break }
      return .reply(reply.reply)
    case .entry(let entry, _):
      let place = "\(head.headers["Host"].first ?? "")\(target.path)"
      let (ws, http) = configuration.tls == nil ? ("ws", "http") : ("wss", "https")
      let publishing = entry.isChannel ? ", or to publish: curl -d TEXT \(http)://\(place)" : ""
      return .reply(
        HTTPReplyText(
          status: .upgradeRequired, fields: [("Sec-WebSocket-Version", "13")],
          body:
            "\(target.path) is a WebSocket path; try: wscope connect \(ws)://\(place)\(publishing)"
        ).reply)
    case .incomplete(let problem): throw Refusal(.badRequest, "\(problem)")
    case .none:
      if isStrict(target) { throw unknown(target) }
    }
    return .reply(
      HTTPReply(
        .notFound, text: "no such page; GET / is the browser client, ws://.../ the server"))
  }

  /// The verdict with the faults that the URL requests.
  private func withFaults(
    _ verdict: RequestVerdict, _ target: RequestTarget
  ) throws(Refusal) -> RequestVerdict {
    guard case .subscribe(var stream) = verdict else { return verdict }
    stream.faults = try urlFaults(target)
    return .subscribe(stream)
  }

  private func judgeOrigin(_ request: HTTPRequest) -> Refusal? {
    let verdict = configuration.origins.judge(request.head.headers)
    let explanation: String
    switch verdict {
    case .allowed: return nil
    case .refusedHost(let host): explanation = "the Host \"\(host)\" is not this server"
    case .refusedOrigin(let origin): explanation = "rejected origin \(origin)"
    }
    let remedy = configuration.originRemedy(verdict).map { "; \($0)" } ?? ""
    var refusal = Refusal(.forbidden, explanation + remedy)
    refusal.isForOrigin = true
    return refusal
  }

  // MARK: Its consequences

  func admit(_ verdict: RequestVerdict, _ request: HTTPRequest) -> HTTPAnswer {
    switch verdict {
    case .refuse(let refusal):
      if refusal.isForOrigin { metrics.counters.countRefusedOrigin() }
      return refusal.answer(request, report)
    case .metrics: return metrics.answer
    case .reply(let reply): return .reply(reply)
    case .page: return .reply(Page.reply())
    case .answer(let answer): return answer
    case .publish(let publication):
      return publication.answer(limit: configuration.limits.messageSize, channels, request)
    case .reject(let reply, let path):
      report(
        .refused(
          from: request.remoteAddress, status: reply.status, explanation: "as \(path) asks for"))
      return .reply(reply.reply)
    case .upgrade(let upgrade):
      return takingSlot(request) { slot throws(Refusal) in
        var admitted = upgrade
        admitted.connection.behaviour = try upgrade.connection.behaviour.admitting(
          request, upgrade.target, subprotocol: upgrade.subprotocol)
        return accept(admitted, slot, request)
      }
    case .subscribe(let stream):
      return takingSlot(request) { upgraded(stream.upgrade, nil, $0, request) }
    }
  }

  private func takingSlot(
    _ request: HTTPRequest, _ accept: (ClientSlot) throws(Refusal) -> HTTPAnswer
  ) -> HTTPAnswer {
    do throws(Refusal) {
      return try accept(try takeSlot())
    } catch {
      return error.answer(request, report)
    }
  }

  private func takeSlot() throws(Refusal) -> ClientSlot {
    do throws(ClientSlots.NoSlot) {
      return try slots.take()
    } catch {
      switch error {
      case .full:
        throw Refusal(
          .serviceUnavailable, "the limit of clients is reached", fields: [("Retry-After", "1")])
      case .noMoreUpgrades:
        throw Refusal(.serviceUnavailable, "no more connections are accepted")
      }
    }
  }

  private func accept(
    _ upgrade: AcceptableUpgrade, _ slot: ClientSlot, _ request: HTTPRequest
  ) -> HTTPAnswer {
    let scripts = scripts(for: upgrade.target)
    let visit = scripts?.book?.upgrade(path: upgrade.target.path)
    let accepted = { self.upgraded(upgrade, visit, slot, request) }
    guard let scripts else { return accepted() }
    return scripts.answer(visit, upgrade.target, accepted: accepted) { reply, reason in
      report(
        .refused(
          from: request.remoteAddress, status: reply.status, explanation: "by \(reason.text)"))
      if case .step = reason { report(.rejectedByScript(client: slot.use())) }
    }
  }

  private func scripts(for target: RequestTarget) -> ScriptedContext? {
    isTransport(target) ? nil : scripts
  }

  private func upgraded(
    _ upgrade: AcceptableUpgrade, _ visit: RuleBook.Visit?, _ slot: ClientSlot,
    _ request: HTTPRequest
  ) -> HTTPAnswer {
    let path = upgrade.target.path
    var draw = faults.draw(path: path, and: upgrade.faults + upgrade.connection.faults)
    var info = ClientInfo(
      target: request.head.uri, subprotocol: upgrade.subprotocol,
      extensions: [upgrade.deflate?.text].compactMap(\.self),
      isHTTP2: request.head.version.major > 1, isEventStream: upgrade.request == nil,
      certificateSubject: request.clientSubject)
    var changes: [@Sendable (HTTPAnswer) -> HTTPAnswer] = []
    var refusal: (reply: HTTPReplyText?, fault: String)?
    draw.rules.removeAll { rule in
      if case .refuse(let reply) = rule.action {
        refusal = refusal ?? (reply, rule.text ?? "")
        return true
      }
      guard case .handshake(let change) = rule.action else { return false }
      changes.append(change)
      info.faults += [rule.text].compactMap(\.self)
      return true
    }
    var accepted = AcceptedUpgrade(
      upgrade.request, subprotocol: upgrade.subprotocol, deflate: upgrade.deflate
    ) { [info, draw] loop in
      self.consumer(upgrade, visit, info, draw, slot, on: loop)
    }
    accepted.messageLimit = upgrade.connection.messageLimit
    accepted.fragmentLimit = upgrade.connection.fragmentLimit
    accepted.fields = upgrade.fields
    if let refusal {
      metrics.counters.count(fault: refusal.fault)
      report(
        .refused(
          from: request.remoteAddress, status: refusal.reply?.status,
          explanation: "fault \(refusal.fault)"))
    }
    let answer =
      refusal.map { $0.reply.map { .reply($0.reply) } ?? Self.noReply } ?? .upgrade(accepted)
    return changes.reduce(answer) { answer, change in change(answer) }
  }

  /// Ends the connection without a reply.
  private static let noReply = HTTPAnswer.later { loop in
    struct NoReply: Error {}
    return loop.makeFailedFuture(NoReply())
  }

  /// Creates the consumer of a connection; called on the event loop of the connection.
  private func consumer(
    _ upgrade: AcceptableUpgrade, _ visit: RuleBook.Visit?, _ info: ClientInfo,
    _ draw: FaultPlan.Draw, _ slot: ClientSlot,
    on loop: any EventLoop
  ) -> any ConnectionConsumer {
    guard let registry = registries[ObjectIdentifier(loop)]?.value else {
      preconditionFailure("a connection on an event loop that is not the server's")
    }
    let client = ServedClient(slot.use(), info, slot: slot, registry: registry)
    let makeMode = { upgrade.connection.behaviour.makeBehaviour(for: client) }
    var behaviour: any Behaviour
    if upgrade.request == nil {
      behaviour = EventStream(
        makeMode(), pingInterval: configuration.eventStreamPings, form: upgrade.streamForm)
    } else {
      behaviour =
        scripts(for: upgrade.target)?.behaviour(
          for: client, upgrade.target, visit, makeMode: makeMode) ?? makeMode()
    }
    // Handshake faults have acted already; a connection without other faults keeps the fast path.
    if !draw.isEmpty {
      behaviour = FaultyBehaviour(behaviour, draw, queueLimit: configuration.queueLimit)
    }
    guard configuration.lintsFrames, upgrade.request != nil else { return behaviour }
    return LintedClient(client.number, behaviour, report: report)
  }
}
