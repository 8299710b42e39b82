extension LoadPlan {
  /// Connections of this process: a shard has every n-th of them, so that together they make the
  /// schedule that one process would make alone.
  package var ownConnections: Int {
    guard let shard else { return connections }
    let count = max(1, shard.count)
    return connections / count + (shard.index < connections % count ? 1 : 0)
  }

  /// Messages per second of this process in the open model; nil in the closed one.
  package var ownRate: Double? {
    guard case .open(let rate, _) = model else { return nil }
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
