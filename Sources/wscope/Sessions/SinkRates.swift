import NIOCore
import Terminal
import TestServer
import WebSocketProtocol

/// Prints once a second how fast each client of mode `sink` sends.
struct SinkRates {
  private var last: [Int: Traffic] = [:]
  private var time: NIODeadline

  /// Lines of one second; further clients have one line together.
  static let maxLines = 10

  init(at time: NIODeadline) { self.time = time }

  /// Prints until the task is cancelled.
  static func print(of server: TestServer, _ context: CommandContext) async {
    var rates = SinkRates(at: .now())
    while (try? await Task.sleep(for: .seconds(1))) != nil {
      let clients = await server.clients.map { (number: $0.number, traffic: $0.traffic) }
      for line in rates.lines(clients, at: .now()) { context.console.note(line) }
    }
  }

  /// The lines of the clients that have sent messages since the last call.
  mutating func lines(
    _ clients: [(number: Int, traffic: Traffic)], at now: NIODeadline
  ) -> [String] {
    let seconds = max(Double((now - time).nanoseconds) / 1e9, 1e-3)
    time = now
    let counts = clients.map { client in
      let before = last[client.number] ?? Traffic()
      return (
        number: client.number,
        messages: Double(client.traffic.messagesIn &- before.messagesIn) / seconds,
        bytes: Double(client.traffic.payloadIn &- before.payloadIn) / seconds
      )
    }.filter { $0.messages > 0 }
    last = Dictionary(clients.map { ($0.number, $0.traffic) }) { $1 }
    var lines = counts.prefix(Self.maxLines).map { client in
      "#\(client.number) \(Self.text(client.messages, client.bytes))"
    }
    let rest = counts.dropFirst(Self.maxLines)
    if !rest.isEmpty {
      let sums = Self.text(
        rest.map(\.messages).reduce(0, +), rest.map(\.bytes).reduce(0, +))
      lines.append("* \(Figures.count(rest.count)) more clients: \(sums)")
    }
    return lines
  }

  private static func text(_ messages: Double, _ bytes: Double) -> String {
    "\(Figures.rate(messages)) msg/s  \(Figures.bytes(Int(min(bytes, 1e15))))/s"
  }
}
