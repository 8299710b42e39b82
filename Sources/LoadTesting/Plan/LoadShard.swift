extension LoadPlan {
  /// Connections of this process: a shard has every n-th of them, so that together they make the
  /// schedule that one process would make alone.
  package var ownConnections: Int { LoadReport.Shard.share(of: connections, shard) }

  /// Messages per second of this process in the open model; nil in the closed one.
  package var ownRate: Double? {
    guard let rate = pacing.rate else { return nil }
    return rate * Double(ownConnections) / Double(max(1, connections))
  }

  /// The number in the whole run of one of this process's connections.
  ///
  /// - Parameter own: Its number in this process, from 0.
  /// - Returns: Its number among the connections of all shards, from 0.
  package func number(ofOwn own: Int) -> Int {
    guard let shard else { return own }
    return shard.index &+ own &* max(1, shard.count)
  }
}

extension LoadReport.Shard {
  /// How many of the whole run's connections one shard has.
  ///
  /// - Parameters:
  ///   - connections: Connections of all shards.
  ///   - shard: nil for a run that is not divided.
  /// - Returns: All of them without a shard.
  package static func share(of connections: Int, _ shard: LoadReport.Shard?) -> Int {
    guard let shard else { return connections }
    let count = max(1, shard.count)
    return connections / count + (shard.index < connections % count ? 1 : 0)
  }
}
