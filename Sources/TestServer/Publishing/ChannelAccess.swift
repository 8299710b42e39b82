import NIOCore
import NIOHTTP1
import WebSocketNIO

/// The channels of a server as requests name them.
struct ChannelAccess: Sendable {
  /// The channel of the mode, if it is one.
  let broadcast: any ChannelMaker
  private let rooms: Rooms
  /// The channels under `/t/`.
  let updates: Updates
  private let registry: NIOLoopBound<ClientRegistry>?
  let capture: Capture
  let report: @Sendable (ServerEvent) -> Void

  init(
    _ mode: any BehaviourMaker, _ context: BehaviourContext, _ capture: Capture,
    report: @escaping @Sendable (ServerEvent) -> Void
  ) {
    broadcast = mode as? any ChannelMaker ?? Broadcast.maker(context, includesSender: false)
    rooms = Rooms(channels: context.channels)
    updates = Updates(queueLimit: context.queueLimit, context.registries)
    registry = context.registries.first
    self.capture = capture
    self.report = report
  }

  func maker(_ key: ChannelKey) -> any ChannelMaker {
    switch key {
    case .broadcast: broadcast
    case .room(let name): rooms.maker(of: name)
    case .updates(let name): updates.maker(of: name)
    }
  }

  /// The verdict on a request that is not an upgrade.
  ///
  /// - Returns: nil if it is not about a channel, or is an ordinary GET.
  func judge(
    _ request: HTTPRequest, _ target: RequestTarget, _ match: TestPaths.Match
  ) throws(Refusal) -> RequestVerdict? {
    let method = request.head.method
    let publishes = method == .POST || method == .PUT
    guard case .entry(let entry, let arguments) = match, entry.isChannel else {
      guard publishes else { return nil }
      switch TestPaths.find(target, in: TestPaths.channels, maxMessage: 0) {
      case .entry: throw Refusal(.notFound, "\(target.path) does not exist on this server")
      case .incomplete(let problem): throw Refusal(.badRequest, "\(problem)")
      case .none: return nil
      }
    }
    let action: PathAction
    do throws(InvalidArgument) {
      action = try TestPaths.action(entry, arguments)
    } catch {
      throw Refusal(.badRequest, "\(error)")
    }
    guard case .join(let key, var options) = action else { return nil }
    if method == .GET, entry.isEventStream || EventStreamRequest.isAccepted(request.head.headers) {
      options.lastNumber = EventStreamRequest.lastNumber(request.head.headers)
      return .subscribe(
        EventStreamRequest(target: target, behaviour: maker(key).joining(options)))
    }
    if entry.isEventStream {
      return .reply(HTTPReply(.methodNotAllowed, text: "only GET", headers: [("Allow", "GET")]))
    }
    if publishes {
      return .publish(try Publication(request, to: maker(key), name: options.name))
    }
    guard method == .GET || method == .HEAD else {
      return .reply(
        HTTPReply(
          .methodNotAllowed, text: "only GET, POST and PUT",
          headers: [("Allow", "GET, HEAD, POST, PUT")]))
    }
    return nil
  }

  /// Logs an event of one message, as far as the budget of one loop allows.
  func log(_ event: ServerEvent) {
    guard let registry else { return }
    registry.eventLoop.execute { registry.value.budget.log(event) }
  }
}

extension ChannelSettings {
  init(_ configuration: TestServerConfiguration) {
    let kept = configuration.keptMessages
    self.init(
      queueLimit: configuration.queueLimit, slow: configuration.slow, keptInRooms: kept ?? 20,
      keptInBroadcast: kept ?? (configuration.mode.entry.isFed ? 1 : 0))
  }
}
