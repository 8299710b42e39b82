import Synchronization

/// The slots for clients, over all event loops.
final class ClientSlots: Sendable {
  private let maxClients: Int
  private let taken = Atomic<Int>(0)
  private let numbered = Atomic<Int>(0)

  init(maxClients: Int) {
    self.maxClients = maxClients
  }

  /// A slot, which is free again once it is released; nil when all are taken.
  func take() -> ClientSlot? {
    guard taken.add(1, ordering: .relaxed).newValue <= maxClients else {
      release()
      return nil
    }
    return ClientSlot(of: self)
  }

  /// The number of the next client that gets its 101, from 1.
  func nextNumber() -> Int { numbered.add(1, ordering: .relaxed).newValue }

  fileprivate func release() { taken.subtract(1, ordering: .relaxed) }
}

/// The slot of one client, from the verdict on its request to the end of its connection.
final class ClientSlot: Sendable {
  private let slots: ClientSlots

  fileprivate init(of slots: ClientSlots) {
    self.slots = slots
  }

  deinit { slots.release() }
}
