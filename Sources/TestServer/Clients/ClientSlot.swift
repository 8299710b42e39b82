import Synchronization

/// The client slots of a server, shared by all event loops.
final class ClientSlots: Sendable {
  private let maxClients: Int
  private let maxUpgrades: Int
  private let taken = Atomic<Int>(0)
  private let upgrades = Atomic<Int>(0)
  private let numbered = Atomic<Int>(0)

  /// - Parameters:
  ///   - maxClients: Maximum number of clients at a time.
  ///   - maxUpgrades: Maximum number of clients in total.
  init(maxClients: Int, maxUpgrades: Int) {
    self.maxClients = maxClients
    self.maxUpgrades = maxUpgrades
  }

  /// Takes a slot, which becomes free again when the returned value is released.
  ///
  /// - Throws: `NoSlot`, if a limit is reached.
  func take() throws(NoSlot) -> ClientSlot {
    guard upgrades.add(1, ordering: .relaxed).newValue <= maxUpgrades else {
      upgrades.subtract(1, ordering: .relaxed)
      throw .noMoreUpgrades
    }
    guard taken.add(1, ordering: .relaxed).newValue <= maxClients else {
      upgrades.subtract(1, ordering: .relaxed)
      taken.subtract(1, ordering: .relaxed)
      throw .full
    }
    return ClientSlot(of: self)
  }

  enum NoSlot: Error {
    /// The maximum number of clients is connected.
    case full
    /// The maximum number of clients in total has been accepted.
    case noMoreUpgrades
  }

  fileprivate func nextNumber() -> Int { numbered.add(1, ordering: .relaxed).newValue }

  fileprivate func release(wasUsed: Bool) {
    taken.subtract(1, ordering: .relaxed)
    if !wasUsed { upgrades.subtract(1, ordering: .relaxed) }
  }
}

/// The slot of one client, from the verdict on its request to the end of its connection. An upgrade
/// counts towards the total only if its slot is used, not if a rule rejects it or the connection is
/// lost before the 101 response.
final class ClientSlot: Sendable {
  private let slots: ClientSlots
  private let isUsed = Atomic<Bool>(false)

  fileprivate init(of slots: ClientSlots) {
    self.slots = slots
  }

  /// Marks the slot as used.
  ///
  /// - Returns: The number of the client, from 1.
  func use() -> Int {
    isUsed.store(true, ordering: .relaxed)
    return slots.nextNumber()
  }

  deinit { slots.release(wasUsed: isUsed.load(ordering: .relaxed)) }
}
