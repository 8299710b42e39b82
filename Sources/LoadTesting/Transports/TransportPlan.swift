import Conversation
import Glibc

/// What a comparison of transports does.
package struct TransportPlan: Sendable, Hashable {
  /// Updates a second, at random (Poisson) times.
  package var updates = 5.0
  /// Clients that receive each update.
  package var clients = 100
  /// The intervals of the polls, in nanoseconds.
  package var pollIntervals: [Int64] = [100_000_000, 1_000_000_000]
  /// The time for an arm with updates in nanoseconds; its first part, one poll interval, is not measured.
  package var duration: Int64 = 8_000_000_000
  /// Determines the times of updates and polls.
  package var seed: UInt64
  /// How often all arms are measured.
  package var blocks = 1

  /// The size of an update or an echo in bytes.
  package static let payload = 64
  /// Time between two echoes of a client in nanoseconds: longer than the kernel delays an acknowledgement, so
  /// that every exchange has its own.
  package static let echoInterval: Int64 = 50_000_000
  /// Clients that send echoes.
  package var echoClients: Int { min(clients, 10) }
  /// The time for an arm with echoes in nanoseconds.
  package var echoDuration: Int64 { duration / 4 }
  /// The part of `duration` before the measurement, in nanoseconds: every poll has been made once.
  package var warmUp: Int64 { pollIntervals.max() ?? 0 }
  /// The measured part of `duration`, in nanoseconds.
  package var measured: Int64 { duration - warmUp }

  package init(seed: UInt64) { self.seed = seed }

  /// All arms, in their order. Polls with a new connection are made at the longest interval only.
  package var arms: [TransportArm] {
    let polls = pollIntervals.map { TransportArm.poll(every: $0) }
    let fresh = pollIntervals.max().map { [TransportArm.freshPoll(every: $0)] } ?? []
    return [.webSocket, .eventStream, .longPoll] + polls + fresh
      + [.webSocketEcho, .postEcho, .freshPostEcho]
  }

  /// The arms of a block, from 0: A B C, then C B A, so that a slow drift of the machine cancels out.
  package func arms(ofBlock block: Int) -> [TransportArm] {
    block.isMultiple(of: 2) ? arms : arms.reversed()
  }

  /// Roughly how long the run takes in nanoseconds.
  package var expectedDuration: Int64 {
    let each = arms.map { $0.isEcho ? echoDuration + 500_000_000 : duration + 800_000_000 }
    return each.reduce(0, +) * Int64(blocks)
  }

  /// When the updates of a block are due, in nanoseconds from the start of the measured part; those before it
  /// are negative. All arms of a block have the same times.
  package func schedule(ofBlock block: Int) -> [Int64] {
    var before = SeededGenerator(seed: seed, stream: UInt64(2 * block + 1))
    var within = SeededGenerator(seed: seed, stream: UInt64(2 * block + 2))
    let early = Self.times(updates, until: warmUp, &before).map { -$0 }.reversed()
    return early + Self.times(updates, until: measured, &within)
  }

  private static func times(
    _ rate: Double, until end: Int64, _ generator: inout SeededGenerator
  ) -> [Int64] {
    var times: [Int64] = []
    var time = 0.0
    while true {
      time -= log(generator.unit()) / rate * 1e9
      guard time < Double(end) else { return times }
      times.append(Int64(time))
    }
  }

  /// The offset of a client's polls within the interval, in nanoseconds.
  func phase(of client: Int, block: Int, interval: Int64) -> Int64 {
    var generator = SeededGenerator(
      seed: seed ^ 0x7068_6173, stream: UInt64(block << 32 | client))
    return Int64(generator.fraction() * Double(interval))
  }
}
