import NIOCore
import NIOHTTP1
import WebSocketNIO

/// `--wait-up`: retries to open a connection until the server is available, for servers that have
/// just been started.
struct WaitUp: Sendable {
  /// The time limit in nanoseconds, for all attempts together.
  let limit: Int64
  /// Whether a failure is the expected result.
  private let isEnough: @Sendable (ConnectError) -> Bool

  /// The pause after the first attempt, in nanoseconds; doubled each time.
  private static let firstPause: Int64 = 50_000_000
  private static let longestPause: Int64 = 1_000_000_000

  init(_ limit: Int64, isEnough: @escaping @Sendable (ConnectError) -> Bool) {
    self.limit = limit
    self.isEnough = isEnough
  }

  /// - Throws: `ConnectError` of the last attempt; if the limit cut that short, of the one before,
  ///   which is more informative.
  func open(
    _ configuration: ClientConfiguration,
    _ open: @Sendable (ClientConfiguration) async throws -> Connection
  ) async throws -> Connection {
    let deadline = NIODeadline.now() + .nanoseconds(limit)
    var pause = Self.firstPause
    var last: ConnectError?
    while true {
      let left = deadline - .now()
      var attempt = configuration
      attempt.openTimeout = min(configuration.openTimeout, max(left, .milliseconds(1)))
      do {
        return try await open(attempt)
      } catch let error as ConnectError {
        if !isWaitedOut(error) { throw error }
        let isCutOff = attempt.openTimeout < configuration.openTimeout
        if case .timedOut = error, isCutOff { throw last ?? error }
        last = error
      }
      let remaining = (deadline - .now()).nanoseconds
      if remaining <= 0, let last { throw last }
      try await Task.sleep(for: .nanoseconds(min(pause, remaining)))
      // The previous error is the final one.
      if deadline <= .now(), let last { throw last }
      pause = min(pause * 2, Self.longestPause)
    }
  }

  /// Whether this failure is followed by another attempt, while there is time.
  func isWaitedOut(_ error: ConnectError) -> Bool {
    !isEnough(error) && Self.isWorthAnother(error)
  }

  /// Whether the server is not available yet: it cannot be reached, or something else replies with
  /// a 5xx in its place. A server that replies with 401 or 404 is available.
  private static func isWorthAnother(_ error: ConnectError) -> Bool {
    switch error {
    case .unresolved, .unreachable, .closedBeforeReply, .timedOut, .tls(.closed): true
    case .refused(let refusal): refusal.head.status.code >= 500
    case .proxy(let failure): Self.isWorthAnother(failure)
    case .http2(.goneAway): true
    case .tls, .http2, .malformedReply, .invalidHandshake, .redirect: false
    }
  }

  /// Whether the proxy is not available yet, or cannot reach the server yet.
  private static func isWorthAnother(_ failure: ProxyFailure) -> Bool {
    switch failure {
    case .unresolved, .unreachable, .closed, .tls(.closed): true
    case .refused(let refusal): refusal.head.status.code >= 500
    // Network or host unreachable, connection refused (RFC 1928 section 6).
    case .refusedBySOCKS(.reply(let code)): (1...5).contains(code) && code != 2
    case .tls, .refusedBySOCKS, .malformedReply, .notSOCKS: false
    }
  }
}
