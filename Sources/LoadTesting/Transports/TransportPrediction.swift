import Glibc

/// What follows from the bytes of the exchanges under `/t/`, before anything is measured.
///
/// A segment of TCP carries each request, each reply or pushed update, and an acknowledgement for the last of
/// them; nothing else is on the wire.
package struct TransportPrediction: Sendable, Hashable {
  /// The size of an update or an echo in bytes.
  package var payload = TransportPlan.payload
  /// The value of the Host field.
  package var host: String
  /// The mean number of digits of the numbers of updates.
  package var digits: Double
  /// The IP and TCP headers of one segment in bytes.
  package var headerSize = 52

  package init(host: String, digits: Double) {
    self.host = host
    self.digits = digits
  }

  /// Bytes on the wire for each update that a client receives, or for each echo.
  ///
  /// - Parameters:
  ///   - arm: The transport.
  ///   - updates: Updates a second; it matters for polls only.
  /// - Returns: Bytes of IP packets, without what opens a connection that carries many updates.
  package func bytes(_ arm: TransportArm, updates: Double) -> Double {
    switch arm {
    case .webSocket: size + frameHeader + 2 * header
    case .eventStream: chunk + 2 * header
    case .longPoll: request("GET /t/longpoll?since=") + digits + hit + size + 3 * header
    case .poll(let interval): poll(updates, interval, extra: 0)
    case .freshPoll(let interval): poll(updates, interval, extra: connection)
    case .webSocketEcho: 2 * (size + frameHeader) + 4 + 3 * header
    case .postEcho: post
    case .freshPostEcho: post + connection
    }
  }

  /// The bytes of one poll with one update, and of one without.
  package func poll(isFresh: Bool) -> (hit: Double, miss: Double) {
    let both = request("GET /t/poll?since=") + digits + 3 * header + (isFresh ? connection : 0)
    return (both + hit + size, both + miss)
  }

  /// A poll finds a Poisson number of updates, of which it transfers all at once.
  private func poll(_ updates: Double, _ interval: Int64, extra: Double) -> Double {
    let found = updates * Double(interval) / 1e9
    guard found > 0 else { return .infinity }
    let isHit = 1 - exp(-found)
    let request = request("GET /t/poll?since=") + digits + 3 * header + extra
    // A line feed separates two updates.
    let updatesAndSeparators = found * size + (found - isHit)
    return (request + isHit * hit + (1 - isHit) * miss + updatesAndSeparators) / found
  }

  /// The rate at which polls at an interval need as many bytes as WebSocket; above it they need fewer.
  ///
  /// - Parameter interval: Of the polls, in nanoseconds.
  /// - Returns: Updates a second.
  package func breakEven(every interval: Int64) -> Double {
    let pushed = bytes(.webSocket, updates: 1)
    var (low, high) = (1e-6, 1e3)
    let period = Double(interval) / 1e9
    for _ in 0..<100 {
      let middle = (low + high) / 2
      let isLess = poll(middle / period, interval, extra: 0) < pushed
      (low, high) = isLess ? (low, middle) : (middle, high)
    }
    return high / period
  }

  /// The mean age of an update in nanoseconds on a network without delay.
  package static func age(_ arm: TransportArm) -> Double { Double(arm.interval ?? 0) / 2 }

  // MARK: Parts

  private var size: Double { Double(payload) }
  private var header: Double { Double(headerSize) }
  private var frameHeader: Double { payload < 126 ? 2 : payload < 65_536 ? 4 : 10 }

  /// What opens and ends a connection: three segments each.
  private var connection: Double { 6 * header + 16 }

  /// The request up to its number, and the rest of its head.
  private func request(_ start: String) -> Double {
    Double(start.utf8.count + " HTTP/1.1\r\nHost: \r\n\r\n".utf8.count + host.utf8.count)
  }

  private var contentLength: Double {
    Double("Content-Length: \(payload)\r\n".utf8.count)
  }

  /// The head of a reply with one update.
  private var hit: Double {
    Double("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nNext: \r\n\r\n".utf8.count) + digits
      + contentLength
  }

  /// A reply without updates.
  private var miss: Double {
    Double("HTTP/1.1 204 No Content\r\nNext: \r\n\r\n".utf8.count) + digits
  }

  /// An event in a chunk.
  private var chunk: Double {
    let event = "id:\ndata:\n\n".utf8.count + payload
    let length = String(event + Int(digits.rounded()), radix: 16).utf8.count
    return Double(event + length + 4) + digits
  }

  private var post: Double {
    let reply = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n".utf8.count
    return request("POST /t/echo") + Double(reply) + 2 * contentLength + 2 * size + 3 * header
  }
}
