import NIOCore
import NIOHTTP1
import WebSocketNIO
import WebSocketProtocol

/// A request on a path under `/t/` that is not an upgrade.
///
/// Replies have only the fields that they need, because the bytes of these exchanges are compared.
enum UpdateRequest: Sendable, Hashable {
  /// The body is an update.
  case publish(channel: String)
  /// An event stream.
  case stream(channel: String)
  /// The updates after a number. A long poll waits up to `wait` nanoseconds for the first.
  case poll(channel: String, since: UInt64?, wait: Int64?)
  /// The body comes back.
  case echo
}

extension Updates {
  /// The verdict on a request that is not an upgrade.
  ///
  /// - Parameters:
  ///   - request: The request.
  ///   - target: Its parsed target.
  ///   - match: The test path.
  ///   - report: Receives the refusal of a body.
  /// - Returns: nil if the path has no answer to such requests.
  /// - Throws: A `Refusal` with the status and one sentence.
  func judge(
    _ request: HTTPRequest, _ target: RequestTarget, _ match: TestPaths.Match,
    report: @escaping @Sendable (ServerEvent) -> Void
  ) throws(Refusal) -> RequestVerdict? {
    guard case .entry(let entry, var arguments) = match, let method = entry.exchange else {
      return nil
    }
    guard request.head.method == method else {
      return .reply(
        HTTPReply(
          .methodNotAllowed, text: "only \(method.rawValue)", headers: [("Allow", method.rawValue)])
      )
    }
    arguments.method = method.rawValue
    let action: PathAction
    do throws(InvalidArgument) {
      action = try TestPaths.action(entry, arguments)
    } catch {
      throw Refusal(.badRequest, "\(error)")
    }
    guard case .exchange(let exchange) = action else { return nil }
    switch exchange {
    case .publish(let channel): return .answer(publishing(to: channel, request, report))
    case .stream(let channel): return .subscribe(try stream(of: channel, target, request))
    case .poll(let channel, let since, nil):
      return .answer(.reply(try Self.reply(news(of: channel, after: since))))
    case .poll(let channel, let since, let wait?):
      // What is wrong with the number is known before the wait.
      _ = try Self.reply(news(of: channel, after: since))
      return .answer(
        .later { loop in
          self.news(of: channel, after: since, within: .nanoseconds(wait), on: loop)
            .map { news in
              do throws(Refusal) {
                return .reply(try Self.reply(news))
              } catch {
                return error.answer(request, report)
              }
            }
        })
    case .echo:
      return .answer(
        .reading(limit: Self.maxUpdate) { body in
          .reply(
            HTTPReply(
              .ok, headers: [("Content-Type", "text/plain")], body: Array(body.readableBytesView)))
        })
    }
  }

  private func publishing(
    to channel: String, _ request: HTTPRequest, _ report: @escaping @Sendable (ServerEvent) -> Void
  ) -> HTTPAnswer {
    .reading(limit: Self.maxUpdate) { body in
      let problem: String? = body.withUnsafeReadableBytes { bytes in
        if bytes.isEmpty { return "the update is empty; try: curl -d TEXT URL" }
        // A carriage return would end a line of an event stream too.
        if bytes.contains(where: { $0 == 0x0A || $0 == 0x0D }) {
          return "the update has more than one line"
        }
        return String(validating: bytes, as: UTF8.self) == nil
          ? "the update is not valid UTF-8" : nil
      }
      if let problem { return Refusal(.badRequest, problem).answer(request, report) }
      let number = self.publish(body, to: channel)
      return .reply(HTTPReply(.accepted, body: Array(String(number).utf8)))
    }
  }

  private func stream(
    of channel: String, _ target: RequestTarget, _ request: HTTPRequest
  ) throws(Refusal) -> EventStreamRequest {
    var options = MemberOptions()
    if let last = request.head.headers["Last-Event-ID"].first {
      guard let number = UInt64(last) else {
        throw Refusal(.badRequest, "Last-Event-ID: invalid number \"\(last)\"")
      }
      _ = try Self.reply(news(of: channel, after: number))
      options.lastNumber = number
    }
    let isChunked = request.head.version == .http1_1
    return EventStreamRequest(
      target: target, behaviour: maker(of: channel).joining(options),
      form: isChunked ? .compactChunks : .compact)
  }

  private static func reply(_ news: News) throws(Refusal) -> HTTPReply {
    switch news {
    case .discarded:
      throw Refusal(.gone, "updates after that number are no longer kept")
    case .ahead(let newest):
      throw Refusal(.badRequest, "the newest update is \(newest)")
    case .updates(let updates, let newest):
      let next = ("Next", String(newest))
      guard !updates.isEmpty else { return HTTPReply(.noContent, headers: [next]) }
      return HTTPReply(
        .ok, headers: [("Content-Type", "text/plain"), next],
        body: Array(updates.map { Array($0.readableBytesView) }.joined(separator: [0x0A])))
    }
  }
}
