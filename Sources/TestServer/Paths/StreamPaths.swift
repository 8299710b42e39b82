import Conversation
import Glibc
import WebSocketProtocol

/// `/drip`: messages of the same size at an interval.
enum DripPath {
  static let entry = TestPathEntry(
    pattern: "/drip", query: ["n", "every", "size"],
    summary: "Sends n messages (10) of size bytes (16), one every 1s, and closes."
  ) { arguments throws(InvalidArgument) in
    let count = try arguments.number("n", in: 1...1_000_000) ?? 10
    let payload = [UInt8](repeating: UInt8(ascii: "*"), count: try arguments.size("size") ?? 16)
    let interval = try arguments.duration("every") ?? 1_000_000_000
    return .accept(
      PathConnection(
        behaviour: Performance.Maker(count: count, interval: interval, closes: true) { _ in
          .message(.text, payload)
        }))
  }
}

/// `/count/N`: numbers as text.
enum CountPath {
  static let entry = TestPathEntry(
    pattern: "/count/{n}", query: ["every"],
    summary: "Sends the numbers 1 to n, one every 0s, and closes."
  ) { arguments throws(InvalidArgument) in
    let count = try arguments.number("n", in: 1...1_000_000) ?? 1
    return .accept(
      PathConnection(
        behaviour: Performance.Maker(
          count: count, interval: try arguments.duration("every") ?? 0, closes: true
        ) { .message(.text, Array("\($0)".utf8)) }))
  }
}

/// `/stream/N`: lines of JSON.
enum StreamPath {
  static let entry = TestPathEntry(
    pattern: "/stream/{n}", query: ["every"],
    summary: "Sends n messages of JSON, one every 0s, and closes."
  ) { arguments throws(InvalidArgument) in
    let count = try arguments.number("n", in: 1...1_000_000) ?? 1
    return .accept(
      PathConnection(
        behaviour: Performance.Maker(
          count: count, interval: try arguments.duration("every") ?? 0, closes: true
        ) { .message(.text, Array("{\"n\":\($0)}".utf8)) }))
  }
}

/// `/ticker`: a changing value at an interval, without end.
enum TickerPath {
  static let entry = TestPathEntry(
    pattern: "/ticker", query: ["every"],
    summary: "Sends a number, the time and a random value as JSON every 1s, without end."
  ) { arguments throws(InvalidArgument) in
    let interval = try arguments.duration("every") ?? 1_000_000_000
    return .accept(
      PathConnection(
        behaviour: Performance.Maker(interval: interval) { .message(.text, message($0)) }))
  }

  private static func message(_ number: Int) -> [UInt8] {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    let milliseconds = "\(1000 + time.tv_nsec / 1_000_000)".dropFirst()
    let value = Double(Int.random(in: 0...100)) / 100
    return Array(
      "{\"n\":\(number),\"t\":\(time.tv_sec).\(milliseconds),\"value\":\(value)}".utf8)
  }
}

/// `/binary/SIZE`: one binary message, the same for the same seed.
enum BinaryPath {
  static let entry = TestPathEntry(
    pattern: "/binary/{size}", aliases: ["/bytes/{size}"], query: ["seed"],
    summary: "Sends one binary message of this size, the same for the same seed, and echoes."
  ) { arguments throws(InvalidArgument) in
    let size = try arguments.size("size") ?? 0
    let seed = try arguments.number("seed", in: 0...Int.max) ?? 1
    return .accept(
      PathConnection(
        behaviour: Performance.Maker(count: 1, answer: .echo) { _ in
          var random = SeededGenerator(seed: UInt64(seed))
          return .message(.binary, (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        }))
  }
}

/// `/ping`: pings at an interval.
enum PingPath {
  static let entry = TestPathEntry(
    pattern: "/ping", query: ["every"], summary: "Sends a ping every 10s, and echoes."
  ) { arguments throws(InvalidArgument) in
    let interval = try arguments.duration("every") ?? 10_000_000_000
    return .accept(
      PathConnection(
        behaviour: Performance.Maker(interval: interval, delay: interval, answer: .echo) { _ in
          .ping
        }))
  }
}

/// `/flood`: messages as fast as the client reads them.
enum FloodPath {
  static let entry = TestPathEntry(
    pattern: "/flood", query: ["size", "rate"],
    summary:
      "Sends binary messages of size bytes (64) at this rate, as in 1KB/s, or as fast as the client takes them."
  ) { arguments throws(InvalidArgument) in
    let payload = [UInt8](repeating: UInt8(ascii: "*"), count: try arguments.size("size") ?? 64)
    var maker = Performance.Maker { _ in .message(.binary, payload) }
    if let rate = try arguments.rate("rate") {
      maker.interval = Int64(payload.count) * 1_000_000_000 / Int64(rate)
    }
    return .accept(PathConnection(behaviour: maker))
  }
}
