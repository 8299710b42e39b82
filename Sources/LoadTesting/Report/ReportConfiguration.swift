import Conversation

extension LoadReport {
  /// The plan of a run without the content of its messages, which may be secret.
  package struct Configuration: Sendable, Equatable {
    /// The origin of the payload.
    package enum Content: String, CaseIterable, Sendable {
      case generated
      /// Given by the user, or read from a file.
      case fixed
    }

    package var mode: LoadModeEntry
    package var pacing: Pacing
    /// The number of connections of the whole run.
    package var connections: Int
    package var length: LoadPlan.Length
    package var content: Content
    /// The payload size of one message in bytes.
    package var payloadSize: Int
    package var kind: LoadPlan.Kind
    package var matching: LoadPlan.Matching
    /// New connections per second.
    package var connectRate: Double
    /// The share of connections that had to be open before sending started, from 0 to 1.
    package var minimumOpen: Double
    /// Warm-up in nanoseconds.
    package var warmUp: Int64
    /// Time in nanoseconds after which a message counted as unanswered.
    package var timeout: Int64
    /// Maximum number of outstanding messages per connection.
    package var maxInFlight: Int
    /// The number of event loop threads.
    package var threads: Int

    /// The reported part of a plan.
    package init(_ plan: LoadPlan) {
      mode = plan.mode
      pacing = plan.pacing
      connections = plan.connections
      length = plan.length
      switch plan.content {
      case .generated: content = .generated
      case .fixed: content = .fixed
      }
      payloadSize = plan.payloadSize
      kind = plan.kind
      matching = plan.matching
      connectRate = plan.connectRate
      minimumOpen = plan.minimumOpen
      warmUp = plan.effectiveWarmUp
      timeout = plan.timeout
      maxInFlight = plan.maxInFlight
      threads = plan.threads
    }

    /// The planned length of the window in nanoseconds; nil if a message count ends it instead.
    package var duration: Int64? {
      switch length {
      case .duration(let ns): ns
      case .messages: nil
      }
    }

    func write(to json: inout JSONWriter) {
      json.member("mode", mode.name)
      json.member("model", pacing.name.rawValue)
      switch pacing {
      case .open(let rate, let arrival):
        json.member("rate", rate)
        json.member("arrival", arrival.rawValue)
      case .closed(let inflight):
        json.member("inflight", inflight)
      }
      json.member("connections", connections)
      switch length {
      case .duration(let ns): json.member("duration_ns", ns)
      case .messages(let count): json.member("messages", count)
      }
      json.member("content", content.rawValue)
      json.member("size", payloadSize)
      json.member("type", kind.rawValue)
      json.member("match", matching.rawValue)
      json.member("connect_rate", connectRate)
      json.member("min_open", minimumOpen)
      json.member("warmup_ns", warmUp)
      json.member("timeout_ns", timeout)
      json.member("max_inflight", maxInFlight)
      json.member("threads", threads)
    }

    init(_ json: ResultValue) throws(ResultError) {
      let name = try json.member("mode")
      guard let mode = LoadModes.named(try name.text()) else {
        throw name.error("unknown word \"\(try name.text())\"")
      }
      self.mode = mode
      let model: Pacing.Name = try json.member("model").word()
      switch model {
      case .open:
        pacing = .open(
          rate: try json.member("rate").number(), arrival: try json.member("arrival").word())
      case .closed:
        pacing = .closed(inflight: try json.member("inflight").integer())
      }
      connections = try json.member("connections").integer()
      if let count = try json.optionalInteger("messages", Int.self) {
        length = .messages(count)
      } else {
        length = .duration(try json.member("duration_ns").integer())
      }
      content = try json.member("content").word()
      payloadSize = try json.member("size").integer()
      kind = try json.member("type").word()
      matching = try json.member("match").word()
      connectRate = try json.member("connect_rate").number()
      minimumOpen = try json.member("min_open").number()
      warmUp = try json.member("warmup_ns").integer()
      timeout = try json.member("timeout_ns").integer()
      maxInFlight = try json.member("max_inflight").integer()
      threads = try json.member("threads").integer()
    }
  }
}
