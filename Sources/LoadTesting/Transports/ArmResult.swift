/// What one arm has shown in one block.
package struct ArmResult: Sendable, Equatable {
  package var arm: TransportArm
  /// The block, from 0.
  package var block: Int
  /// From when an update was due to when a client received it, or of a round trip; in nanoseconds.
  package var latency: LatencySummary
  /// Updates that were due in the measured part, or round trips.
  package var published = 0
  /// Updates that clients should have received, each counted for each client, or round trips.
  package var expected = 0
  /// Those that came.
  package var delivered = 0
  /// Messages, events or replies that brought them.
  package var batches = 0
  package var duplicates = 0
  /// Updates from something else on the same channel.
  package var foreign = 0
  /// Polls, or echoes, and those of them that began late by over a tenth of their interval.
  package var requests = 0
  package var late = 0
  /// Clients that lost their connection.
  package var lost = 0
  /// From sending an update to the server's answer, the median in nanoseconds.
  package var acknowledgement: Int64?
  /// Bytes of IP packets for each update and client, or round trip; nil if the kernel does not count them.
  package var wireBytes: Double?
  /// Bytes of IP packets that opened the connection of one client.
  package var openingBytes: Double?
  /// The processor time of the server for each update and client, or round trip, in nanoseconds; nil if the
  /// server is another process.
  package var serverTime: Double?
  /// What `wireBytes` was expected to be.
  package var predictedBytes: Double
  /// What the mean of `latency` was expected to be on a network without delay, in nanoseconds.
  package var predictedAge: Double

  /// Delivered of expected, from 0 to 1.
  package var reach: Double { expected > 0 ? Double(delivered) / Double(expected) : 0 }

  /// Updates for each message, event or reply that brought any.
  package var batchSize: Double { batches > 0 ? Double(delivered) / Double(batches) : 0 }

  /// Whether the figures are those of the arm alone, and complete.
  package var isComplete: Bool {
    expected > 0 && delivered == expected && foreign == 0 && lost == 0 && !isOverloaded
  }

  /// Whether over a twentieth of the requests began late: the machine is too slow for so many.
  package var isOverloaded: Bool { 20 * late > requests }

  package init(
    _ arm: TransportArm, block: Int, latency: LatencySummary, predictedBytes: Double
  ) {
    self.arm = arm
    self.block = block
    self.latency = latency
    self.predictedBytes = predictedBytes
    predictedAge = TransportPrediction.age(arm)
  }
}
