import Synchronization

/// How many clients are inside, over all event loops.
final class Admissions: Sendable {
  private let most: Int
  private let present = Atomic<Int>(0)
  private let total = Atomic<Int>(0)

  init(most: Int) {
    self.most = most
  }

  /// Lets one more in, until the admission is let go; nil when the house is full.
  func next() -> Admission? {
    guard present.add(1, ordering: .relaxed).newValue <= most else {
      leave()
      return nil
    }
    return Admission(number: total.add(1, ordering: .relaxed).newValue, to: self)
  }

  fileprivate func leave() { present.subtract(1, ordering: .relaxed) }
}

/// The place of one client; giving it up makes room for another.
final class Admission: Sendable {
  /// Counts the clients from 1.
  let number: Int
  private let house: Admissions

  fileprivate init(number: Int, to house: Admissions) {
    self.number = number
    self.house = house
  }

  deinit { house.leave() }
}
