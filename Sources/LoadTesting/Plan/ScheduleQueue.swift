/// A priority queue with the next message of every connection of one event loop, so one timer per
/// loop is enough.
///
/// It is a binary heap in arrays: returning a message and scheduling the next one of its connection
/// takes one walk down the heap and no allocation. A slot is the number of a connection on its
/// loop.
package struct ScheduleQueue: Sendable {
  /// One message to send.
  package struct Due: Equatable, Sendable {
    /// The connection of this loop.
    package var slot: Int
    /// When the message is due, in nanoseconds since the start of the schedule.
    package var intended: Int64
  }

  private struct Entry {
    var due: Int64
    var slot: Int
  }

  private let schedule: SendSchedule
  private var heap: [Entry] = []
  private var cursors: [SendSchedule.Cursor?] = []
  private var places: [Int] = []

  /// Creates an empty queue.
  ///
  /// - Parameter schedule: The schedule of the run, the same for all loops.
  package init(schedule: SendSchedule) { self.schedule = schedule }

  /// The number of connections that still have messages to send.
  package var count: Int { heap.count }

  /// When the earliest message is due, in nanoseconds since the start of the schedule; nil if the
  /// queue is empty.
  package var nextDue: Int64? { heap.first?.due }

  /// Adds a connection at the start of its schedule.
  ///
  /// - Parameters:
  ///   - slot: Its number on the loop, from 0; a slot in use is replaced.
  ///   - connection: Its number in the whole run, which determines its phase.
  ///   - quota: How many messages it may send; nil for no limit.
  package mutating func add(slot: Int, connection: Int, quota: Int? = nil) {
    add(slot: slot, schedule.cursor(connection: connection, quota: quota))
  }

  /// Adds a connection at a given position of its schedule.
  mutating func add(slot: Int, _ cursor: SendSchedule.Cursor) {
    guard slot >= 0 else { return }
    remove(slot: slot)
    while places.count <= slot {
      places.append(-1)
      cursors.append(nil)
    }
    guard cursor.quota > 0 else { return }
    cursors[slot] = cursor
    heap.append(Entry(due: cursor.due, slot: slot))
    places[slot] = heap.count - 1
    rise(from: heap.count - 1)
  }

  /// Removes a connection, for example one that was lost.
  ///
  /// - Parameter slot: Its number on the loop; nothing happens if it has no messages to send.
  package mutating func remove(slot: Int) {
    guard places.indices.contains(slot), places[slot] >= 0 else { return }
    let index = places[slot]
    places[slot] = -1
    cursors[slot] = nil
    let last = heap.removeLast()
    guard index < heap.count else { return }
    heap[index] = last
    places[last.slot] = index
    rise(from: index)
    sink(from: places[last.slot])
  }

  /// Returns the earliest due message and schedules the next one of its connection.
  ///
  /// Call it until it returns nil. Messages that are overdue keep their original due times.
  ///
  /// - Parameter now: Nanoseconds since the start of the schedule.
  /// - Returns: nil if no message is due by `now`.
  package mutating func next(dueBy now: Int64) -> Due? {
    guard let first = heap.first, first.due <= now, var cursor = cursors[first.slot] else {
      return nil
    }
    if schedule.advance(&cursor) {
      cursors[first.slot] = cursor
      heap[0].due = cursor.due
      sink(from: 0)
    } else {
      remove(slot: first.slot)
    }
    return Due(slot: first.slot, intended: first.due)
  }

  /// Counts the messages due before a time without removing them: exact for constant arrival, the
  /// mean for Poisson arrival.
  ///
  /// - Parameter end: Nanoseconds since the start of the schedule.
  /// - Returns: The count, limited by the quotas.
  package func count(dueBefore end: Int64) -> Int {
    heap.reduce(0) { sum, entry in
      guard let cursor = cursors[entry.slot] else { return sum }
      let (total, overflow) = sum.addingReportingOverflow(
        schedule.count(from: cursor, dueBefore: end))
      return overflow ? Int.max : total
    }
  }

  /// Earlier messages first, then lower slots, so the same seed gives the same order.
  private func precedes(_ left: Entry, _ right: Entry) -> Bool {
    left.due != right.due ? left.due < right.due : left.slot < right.slot
  }

  private mutating func rise(from start: Int) {
    let entry = heap[start]
    var index = start
    while index > 0 {
      let parent = (index - 1) / 2
      guard precedes(entry, heap[parent]) else { break }
      heap[index] = heap[parent]
      places[heap[index].slot] = index
      index = parent
    }
    heap[index] = entry
    places[entry.slot] = index
  }

  private mutating func sink(from start: Int) {
    let entry = heap[start]
    var index = start
    while true {
      var child = 2 * index + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, precedes(heap[child + 1], heap[child]) { child += 1 }
      guard precedes(heap[child], entry) else { break }
      heap[index] = heap[child]
      places[heap[index].slot] = index
      index = child
    }
    heap[index] = entry
    places[entry.slot] = index
  }
}
