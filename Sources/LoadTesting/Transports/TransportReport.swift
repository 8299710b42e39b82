package import Conversation

/// The result of a comparison of transports.
package struct TransportReport: Sendable {
  /// The name and version of the JSON format.
  package static let schema = "bench-transports/1"

  /// The JSON Schema of that format.
  package static var schemaDocument: [UInt8] { PackageResources.transports_schema_json }

  package var plan: TransportPlan
  /// The URL of the server.
  package var url: String
  /// Whether the server is part of this process.
  package var isOwnServer: Bool
  /// The version of the program, and whether it is a release or debug build.
  package var version: String
  package var build: String
  /// The machine that measured.
  package var machine: HostFacts
  /// In the order in which they were measured.
  package var results: [ArmResult]

  package init(
    plan: TransportPlan, url: String, isOwnServer: Bool, version: String, build: String,
    machine: HostFacts, results: [ArmResult]
  ) {
    self.plan = plan
    self.url = url
    self.isOwnServer = isOwnServer
    self.version = version
    self.build = build
    self.machine = machine
    self.results = results
  }

  /// The results of one arm, by block.
  package func results(of arm: TransportArm) -> [ArmResult] {
    results.filter { $0.arm == arm }.sorted { $0.block < $1.block }
  }

  /// The median over the blocks of one arm; nil unless each of them has the figure.
  package func median(of arm: TransportArm, _ figure: (ArmResult) -> Double?) -> Double? {
    let results = results(of: arm)
    let values = results.compactMap(figure)
    return values.count == results.count ? values.median : nil
  }

  /// The claims, as predicted and as measured.
  package var claims: [TransportClaim] { TransportClaim.all(results, plan) }

  /// Whether every arm has been measured, and each update has reached each client.
  package var isComplete: Bool {
    results.count == plan.arms.count * plan.blocks && results.allSatisfy(\.isComplete)
  }

  /// Where polling begins to need fewer bytes than WebSocket.
  package struct BreakEven: Sendable, Equatable {
    /// Of the polls, in nanoseconds.
    package var interval: Int64
    /// Updates a second at which both need as many bytes.
    package var updates: Double
    /// Bytes of polling for each byte of WebSocket at the rate of the plan, predicted.
    package var predicted: Double
    /// The same, measured; nil without both.
    package var measured: Double?
  }

  /// The break-even of each polling interval of the plan.
  package var breakEven: [BreakEven] {
    plan.pollIntervals.compactMap { interval in
      let arm = TransportArm.poll(every: interval)
      guard let pushed = median(of: .webSocket, { $0.predictedBytes }),
        let polled = median(of: arm, { $0.predictedBytes }), pushed > 0
      else { return nil }
      let prediction = TransportPrediction(
        host: host, digits: Double(String(results(of: arm)[0].published).count))
      var breakEven = BreakEven(
        interval: interval, updates: prediction.breakEven(every: interval),
        predicted: polled / pushed)
      if let own = median(of: .webSocket, { $0.wireBytes }), own > 0,
        let other = median(of: arm, { $0.wireBytes })
      {
        breakEven.measured = other / own
      }
      return breakEven
    }
  }

  /// The Host field of the requests.
  private var host: String { url.split(separator: "/").dropFirst().first.map(String.init) ?? "" }

  // MARK: JSON

  /// Writes the report as one JSON object: durations in nanoseconds, sizes in bytes, `null` for what was not
  /// measured.
  package func write(to json: inout JSONWriter) {
    json.object { json in
      json.member("schema", Self.schema)
      json.member("version", version)
      json.member("build", build)
      json.member("url", url)
      json.member("own_server", isOwnServer)
      json.member("plan", object: plan.write)
      json.member("env") { json in
        json.member("kernel", machine.kernel)
        json.member("cores", machine.cores)
      }
      json.member("arms", array: results) { $1.write(to: &$0) }
      json.member("claims", array: claims) { $1.write(to: &$0) }
      json.member("break_even", array: breakEven) { $1.write(to: &$0) }
    }
  }
}

extension TransportPlan {
  fileprivate func write(to json: inout JSONWriter) {
    json.member("updates", updates)
    json.member("clients", clients)
    json.member("poll_every", array: pollIntervals) { $0.integer($1) }
    json.member("duration", duration)
    json.member("measured", measured)
    json.member("blocks", blocks)
    json.member("payload", Self.payload)
    json.member("seed", String(seed))
  }
}

extension ArmResult {
  fileprivate func write(to json: inout JSONWriter) {
    json.object { json in
      json.member("arm", arm.key)
      json.member("block", block)
      json.member("unit", arm.isEcho ? "round_trip" : "update")
      json.member("published", published)
      json.member("expected", expected)
      json.member("delivered", delivered)
      json.member("batches", batches)
      json.member("duplicates", duplicates)
      json.member("foreign", foreign)
      json.member("requests", requests)
      json.member("late", late)
      json.member("lost", lost)
      json.member("latency") { json in
        json.member("p50", latency[.p50]?.bound)
        json.member("p99", latency[.p99]?.bound)
        json.member("max", latency.max)
        json.member("predicted_mean", predictedAge)
      }
      json.member("bytes") { json in
        json.member("measured", wireBytes)
        json.member("predicted", predictedBytes)
        json.member("opening", openingBytes)
      }
      json.member("server_time", serverTime)
      json.member("publish_ack", acknowledgement)
    }
  }
}

extension TransportClaim {
  fileprivate func write(to json: inout JSONWriter) {
    json.object { json in
      json.member("quantity", quantity.rawValue)
      json.member("websocket_arm", webSocket.key)
      json.member("other_arm", other.key)
      for (name, values) in [("predicted", predicted), ("measured", measured)] {
        json.member(name) { json in
          json.member("websocket", values?.webSocket)
          json.member("other", values?.other)
        }
      }
      json.member("predicted_word", predictedWord?.rawValue)
      json.member("word", word.rawValue)
      json.member("p", p)
    }
  }
}

extension TransportReport.BreakEven {
  fileprivate func write(to json: inout JSONWriter) {
    json.object { json in
      json.member("poll_every", interval)
      json.member("updates", updates)
      json.member("predicted_ratio", predicted)
      json.member("measured_ratio", measured)
    }
  }
}
