import NIOCore
import NIOHTTP1
import WebSocketNIO
import WebSocketProtocol

/// Paths with an invalid or late handshake.
enum BrokenHandshakePaths {
  static let all = [
    TestPathEntry(
      pattern: "/no-upgrade", summary: "Answers 200 and an HTML page.", isBroken: true,
      answersHTTP: true
    ) { _ throws(InvalidArgument) in
      .reply(
        HTTPReplyText(
          status: .ok, fields: [("Content-Type", "text/html; charset=utf-8")],
          body: "<!DOCTYPE html><title>Not a WebSocket</title><p>This is a page."))
    },
    entry(
      "/bad-accept", aliases: ["/wrong_accept_key"], "Answers with a wrong Sec-WebSocket-Accept."
    ) {
      // A valid key, but not that of the client, so the accept value is wrong.
      if $0.request?.key != nil { $0.request?.key = "AAAAAAAAAAAAAAAAAAAAAA==" }
    },
    entry("/wrong-protocol", "Chooses a subprotocol that was never offered.") {
      $0.subprotocol = "wscope-never-offered"
    },
    entry("/wrong-extension", "Chooses an extension that was never offered.") {
      $0.fields.append((name: "Sec-WebSocket-Extensions", value: "x-wscope-never-offered"))
    },
    entry("/no-connection", "Answers 101 without the field Connection.") {
      $0.omittedFields = ["Connection"]
    },
    entry("/not-http", aliases: ["/invalid"], "Answers with FOO BAR BAZ, which is not HTTP.") {
      $0.wireText = "FOO BAR BAZ\r\n\r\n"
    },
    TestPathEntry(
      pattern: "/slow-handshake/{ms}", aliases: ["/handshake_sleep_2"],
      summary:
        "Answers the upgrade request this much later; a bare number is milliseconds. The alias waits 2 s.",
      isBroken: true
    ) { arguments throws(InvalidArgument) in
      let delay = try arguments.duration("ms") ?? 2_000_000_000
      return .accept(
        PathConnection(
          behaviour: Echo.Maker(),
          faults: [.silent(.handshake { .delayed(by: .nanoseconds(delay), $0) })]))
    },
  ]

  private static func entry(
    _ pattern: String, aliases: [String] = [], _ summary: String,
    change: @escaping @Sendable (inout AcceptedUpgrade) -> Void
  ) -> TestPathEntry {
    TestPathEntry(pattern: pattern, aliases: aliases, summary: summary, isBroken: true) {
      _ throws(InvalidArgument) in
      .accept(
        PathConnection(
          behaviour: Echo.Maker(), allowsDeflate: false,
          faults: [
            .silent(
              .handshake { answer in
                guard case .upgrade(var upgrade) = answer else { return answer }
                change(&upgrade)
                return .upgrade(upgrade)
              })
          ]))
    }
  }
}
