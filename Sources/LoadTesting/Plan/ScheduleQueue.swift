/// The next due time of every connection of one event loop, so that one timer a loop is enough.
///
/// A binary heap over arrays: handing out a message and placing its connection's next one costs one
/// walk down the heap and no allocation. Slots are the loop's own small numbers of its connections.
package struct ScheduleQueue: Sendable {
  /// One message to send.
  package struct Due: Equatable, Sendable {
    /// Which connection of this loop.
    package var slot: Int
    /// When it should have been sent: nanoseconds since the start of sending.
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

  /// An empty queue.
  ///
  /// - Parameter schedule: The run's schedule; all loops share it.
  package init(schedule: SendSchedule) { self.schedule = schedule }

  /// Connections that still have something to send.
  package var count: Int { heap.count }

  /// When the earliest message is due, in nanoseconds since the start of sending; nil when none is.
  package var nextDue: Int64? { heap.first?.due }

  /// Takes up a connection at the start of its schedule.
  ///
  /// - Parameters:
  ///   - slot: The loop's number for it, from 0; a slot in use starts over.
  ///   - connection: Its number in the whole run, which decides its phase.
  ///   - quota: How many messages it may send; nil for no end.
  package mutating func add(slot: Int, connection: Int, quota: Int? = nil) {
    add(slot: slot, schedule.cursor(connection: connection, quota: quota))
  }

  /// Takes up a connection at some place of its schedule.
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

  /// Forgets a connection, one that was lost for example.
  ///
  /// - Parameter slot: Nothing happens when it has nothing to send.
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

  /// Hands out the earliest message that is due, and places its connection's next one.
  ///
  /// Call until nil. After a delay each message comes with the time it was meant for.
  ///
  /// - Parameter now: Nanoseconds since the start of sending; the end of the run where that is less.
  /// - Returns: nil when nothing is due by `now`.
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

  /// How many messages are due before a moment, without handing them out: exact for constant arrival, the
  /// mean for Poisson arrival.
  ///
  /// - Parameter end: Nanoseconds since the start of sending.
  /// - Returns: No more than the quotas allow.
  package func count(dueBefore end: Int64) -> Int {
    heap.reduce(0) { sum, entry in
      guard let cursor = cursors[entry.slot] else { return sum }
      let (total, overflow) = sum.addingReportingOverflow(
        schedule.count(from: cursor, dueBefore: end))
      return overflow ? Int.max : total
    }
  }

  /// Earlier first; at the same time the lower slot, so that a seed repeats a run.
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
