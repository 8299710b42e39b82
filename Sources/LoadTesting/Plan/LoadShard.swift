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
