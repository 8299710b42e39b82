extension LoadPlan {
  /// The number of connections of this process. A shard has every n-th connection, so all shards
  /// together follow the same schedule as a single process.
  package var ownConnections: Int { LoadReport.Shard.share(of: connections, shard) }

  /// Messages per second of this process in the open model; nil in the closed model.
  package var ownRate: Double? {
    guard let rate = pacing.rate else { return nil }
    return rate * Double(ownConnections) / Double(max(1, connections))
  }

  /// Converts the number of a connection in this process to its number in the whole run.
  ///
  /// - Parameter own: Its number in this process, from 0.
  /// - Returns: Its number among the connections of all shards, from 0.
  package func number(ofOwn own: Int) -> Int {
    guard let shard else { return own }
    return shard.index &+ own &* max(1, shard.count)
  }
}

extension LoadPlan {
  /// How long connecting and settling take in a run with a start time, in nanoseconds: the same in every
  /// shard, so that all begin to send at one moment. nil without a start time.
  var opening: Int64? {
    guard startAt != nil else { return nil }
    let connecting = Double(connections) / max(0.001, connectRate)
    return Int64(min(connecting, 86_400) * 1e9) &+ 5_000_000_000
  }

  /// A number that is the same for all shards of a run, and another one for a run that does something else
  /// or starts at another time.
  ///
  /// - Parameter further: What else distinguishes the run, such as its target.
  /// - Returns: 64 bits.
  package func fingerprint(_ further: String = "") -> UInt64 {
    let members = LoadReport.Configuration(self).members.sorted { $0.key < $1.key }
    let text =
      members.map { "\($0.key)=\($0.value)\n" }.joined()
      + "start=\(startAt ?? 0)\nshards=\(shard?.count ?? 1)\n\(further)"
    // FNV-1a: no secret depends on it.
    return text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }
}

extension LoadReport.Shard {
  /// The number of connections of one shard.
  ///
  /// - Parameters:
  ///   - connections: The number of connections of the whole run.
  ///   - shard: The shard; nil for a run that is not divided.
  /// - Returns: The number; all connections without a shard.
  package static func share(of connections: Int, _ shard: LoadReport.Shard?) -> Int {
    guard let shard else { return connections }
    let count = max(1, shard.count)
    return connections / count + (shard.index < connections % count ? 1 : 0)
  }
}

extension LoadReport {
  /// By how many nanoseconds sending began later than planned; nil without a start time, or if it never began.
  package func lateStart(_ plan: LoadPlan) -> Int64? {
    guard let opening = plan.opening, let first = phase(.warmUp) ?? phase(.measure) else {
      return nil
    }
    return max(0, first.start &- opening)
  }
}
