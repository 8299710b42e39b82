import Synchronization

/// The slots for clients, over all event loops.
final class ClientSlots: Sendable {
  private let maxClients: Int
  private let maxUpgrades: Int
  private let taken = Atomic<Int>(0)
  private let upgrades = Atomic<Int>(0)
  private let numbered = Atomic<Int>(0)

  /// - Parameters:
  ///   - maxClients: Clients at once.
  ///   - maxUpgrades: Clients in all.
  init(maxClients: Int, maxUpgrades: Int) {
    self.maxClients = maxClients
    self.maxUpgrades = maxUpgrades
  }

  /// A slot, which is free again once it is released.
  ///
  /// - Throws: why there is none.
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
    /// As many clients are connected as may be at once.
    case full
    /// As many clients were accepted as may be in all.
    case noMoreUpgrades
  }

  fileprivate func nextNumber() -> Int { numbered.add(1, ordering: .relaxed).newValue }

  fileprivate func release(wasUsed: Bool) {
    taken.subtract(1, ordering: .relaxed)
    if !wasUsed { upgrades.subtract(1, ordering: .relaxed) }
  }
}

/// The slot of one client, from the verdict on its request to the end of its connection. An upgrade counts once
/// its slot is used: another may take the place of one that a rule rejects, or that is lost before its 101.
final class ClientSlot: Sendable {
  private let slots: ClientSlots
  private let isUsed = Atomic<Bool>(false)

  fileprivate init(of slots: ClientSlots) {
    self.slots = slots
  }

  /// Uses the slot.
  ///
  /// - Returns: The number of the client, from 1.
  func use() -> Int {
    isUsed.store(true, ordering: .relaxed)
    return slots.nextNumber()
  }

  deinit { slots.release(wasUsed: isUsed.load(ordering: .relaxed)) }
}
