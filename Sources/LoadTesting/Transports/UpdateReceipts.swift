/// What the clients of one arm receive: each update once for each client, or not.
///
/// An update begins with the tag of the arm and its number, so that one that something else has published is
/// recognised, and one that comes twice.
struct UpdateReceipts {
  /// When each update was due, in nanoseconds of `MonotonicClock`; those before the measurement too.
  private var due: [Int64] = []
  private var isMeasured: [Bool] = []
  private var received: [Set<Int>]
  private let tag: String
  private(set) var age = LatencyHistogram()
  /// Measured updates that clients have received, each counted for each client.
  private(set) var delivered = 0
  /// Messages, events or replies that brought measured updates.
  private(set) var batches = 0
  private(set) var duplicates = 0
  /// Updates that this arm has not published.
  private(set) var foreign = 0

  init(clients: Int, tag: String) {
    received = Array(repeating: [], count: clients)
    self.tag = tag
  }

  /// Measured updates that have been published.
  var published: Int { isMeasured.count { $0 } }
  /// All of them for all clients.
  var expected: Int { published * received.count }

  /// The same with those before the measurement.
  var all: Int { due.count * received.count }

  /// Adds an update.
  ///
  /// - Parameters:
  ///   - time: When it is due.
  ///   - measured: Whether it is part of the measurement.
  /// - Returns: Its text.
  mutating func publish(at time: Int64, measured: Bool) -> [UInt8] {
    let start = "\(tag) \(due.count) "
    due.append(time)
    isMeasured.append(measured)
    return Array(start.utf8)
      + [UInt8](repeating: 0x2E, count: max(0, TransportPlan.payload - start.utf8.count))
  }

  /// Records what one message, event or reply has brought to a client.
  mutating func receive(_ updates: [Substring], client: Int, at now: Int64) {
    var isMeasured = false
    for update in updates {
      let words = update.split(separator: " ", maxSplits: 2)
      guard words.count == 3, words[0] == tag, let number = Int(words[1]), due.indices ~= number
      else {
        foreign += 1
        continue
      }
      guard received[client].insert(number).inserted else {
        duplicates += 1
        continue
      }
      guard self.isMeasured[number] else { continue }
      isMeasured = true
      delivered += 1
      age.record(now - due[number])
    }
    if isMeasured { batches += 1 }
  }
}
