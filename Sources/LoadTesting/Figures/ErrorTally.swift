/// Failures by phase, class and code: their count, the time of the first, and its text.
package struct ErrorTally: Sendable, Equatable {
  /// How far the connection had come.
  package enum Phase: String, CaseIterable, Sendable {
    /// During the lookup of a name.
    case resolve
    /// While connecting to the server.
    case tcp
    /// While connecting to the proxy, or opening the tunnel through it.
    case proxy
    /// During the TLS handshake.
    case tls
    /// From the upgrade request to its reply.
    case upgrade
    /// While the connection was open.
    case open
    /// After this side had sent its close frame.
    case closing
  }

  /// The kind of failure; reports print its `name`.
  package enum Class: Hashable, Sendable {
    /// No process listens on the port.
    case refused
    /// The peer reset the connection.
    case reset
    /// The connection ended without a close frame.
    case lost
    /// An attempt to connect, or the transport, timed out.
    case timeout
    /// No source port is left; never the server's fault.
    case ports
    /// No file descriptor is left; never the server's fault.
    case files
    /// The certificate of the server was rejected.
    case certificate
    /// The server or proxy answered with this HTTP status.
    case http(Int)
    /// The peer violated the protocol.
    case violation
    /// A message exceeded a limit of this side.
    case tooBig
    /// A reply that differs from what was sent.
    case mismatch
    /// A message that was not answered in time.
    case unanswered
    /// A message not sent because too many were outstanding.
    case unsent
    /// The peer closed an open connection.
    case closed
    /// Anything else; the sample says what.
    case other

    /// The name of the class in reports, such as `refused` or `http-503`.
    package var name: String {
      switch self {
      case .refused: "refused"
      case .reset: "reset"
      case .lost: "lost"
      case .timeout: "timeout"
      case .ports: "ports"
      case .files: "fds"
      case .certificate: "cert"
      case .http(let status): "http-\(status)"
      case .violation: "protocol"
      case .tooBig: "too-big"
      case .mismatch: "mismatch"
      case .unanswered: "unanswered"
      case .unsent: "unsent"
      case .closed: "closed"
      case .other: "other"
      }
    }

    /// All classes but those of HTTP statuses.
    package static let plain: [Class] = [
      .refused, .reset, .lost, .timeout, .ports, .files, .certificate, .violation, .tooBig,
      .mismatch, .unanswered, .unsent, .closed, .other,
    ]

    /// The class with this name; nil for an unknown name.
    package init?(name: String) {
      if let found = Self.plain.first(where: { $0.name == name }) {
        self = found
      } else if name.hasPrefix("http-"), let status = Int(name.dropFirst(5)) {
        self = .http(status)
      } else {
        return nil
      }
    }
  }

  /// One kind of failure.
  package struct Entry: Sendable, Equatable {
    package var phase: Phase
    package var `class`: Class
    /// The errno, close code or HTTP status; nil if there is none.
    package var code: Int?
    package var count: Int
    /// The part of `count` that occurred in the window.
    package var inWindow = 0
    /// When the first one occurred, in nanoseconds since the start of the run.
    package var first: Int64
    /// The text of the first one, at most 200 characters; may come from the peer.
    package var sample: String?
  }

  private struct Kind: Hashable {
    var phase: Phase
    var `class`: Class
    var code: Int?
  }

  private static let longestSample = 200
  private var kinds: [Kind: Entry] = [:]

  package init() {}

  /// A tally of entries that were read back.
  ///
  /// - Parameter entries: In any order; those of one kind are added.
  init(_ entries: [Entry]) {
    for entry in entries {
      let kind = Kind(phase: entry.phase, class: entry.class, code: entry.code)
      var one = ErrorTally()
      one.kinds[kind] = entry
      merge(one)
    }
  }

  /// The number of failures of all kinds.
  package var total: Int { kinds.values.reduce(0) { $0 &+ $1.count } }

  /// The number of failures of one class, regardless of phase and code.
  package func count(of class: Class) -> Int {
    kinds.values.reduce(0) { $1.class == `class` ? $0 &+ $1.count : $0 }
  }

  /// Sets `inWindow` of every kind.
  ///
  /// - Parameters:
  ///   - begin: The tally at the beginning of the window.
  ///   - end: The tally at the end of the window.
  package mutating func setWindow(from begin: ErrorTally, to end: ErrorTally) {
    for (kind, entry) in end.kinds {
      kinds[kind]?.inWindow = entry.count &- (begin.kinds[kind]?.count ?? 0)
    }
  }

  /// Counts failures of one kind.
  ///
  /// - Parameters:
  ///   - phase: How far the connection had come.
  ///   - class: The kind of failure.
  ///   - code: The errno, close code or HTTP status; nil if there is none.
  ///   - count: The number of failures; values below 1 are ignored.
  ///   - ns: When they occurred, in nanoseconds since the start of the run.
  ///   - sample: A text for the report; evaluated only for the first failure of its kind.
  package mutating func record(
    _ phase: Phase, _ class: Class, code: Int? = nil, count: Int = 1, at ns: Int64,
    sample: @autoclosure () -> String? = nil
  ) {
    guard count > 0 else { return }
    let kind = Kind(phase: phase, class: `class`, code: code)
    guard kinds[kind] == nil else {
      kinds[kind]?.count &+= count
      return
    }
    kinds[kind] = Entry(
      phase: phase, class: `class`, code: code, count: count, first: ns,
      sample: sample().map { String($0.prefix(Self.longestSample)) })
  }

  /// Adds the counts of another tally, keeping the earlier time and its sample for each kind.
  package mutating func merge(_ other: ErrorTally) {
    for (kind, entry) in other.kinds {
      guard let own = kinds[kind] else {
        kinds[kind] = entry
        continue
      }
      // The text decides between equal times, so that the order of merging does not.
      let isEarlier = (entry.first, entry.sample ?? "") < (own.first, own.sample ?? "")
      var merged = isEarlier ? entry : own
      merged.count = own.count &+ entry.count
      merged.inWindow = own.inWindow &+ entry.inWindow
      kinds[kind] = merged
    }
  }

  /// All kinds, the most frequent first. Ties are ordered by phase, class and code, which makes the
  /// order deterministic.
  package var entries: [Entry] {
    kinds.values.sorted { left, right in
      if left.count != right.count { return left.count > right.count }
      let phases = (order(left.phase), order(right.phase))
      if phases.0 != phases.1 { return phases.0 < phases.1 }
      if left.class.name != right.class.name { return left.class.name < right.class.name }
      return (left.code ?? Int.min) < (right.code ?? Int.min)
    }
  }

  private func order(_ phase: Phase) -> Int { Phase.allCases.firstIndex(of: phase) ?? 0 }
}
