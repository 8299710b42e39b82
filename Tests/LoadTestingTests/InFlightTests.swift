import Conversation
import TestPeers
import Testing

@testable import LoadTesting

@Suite(.blocking) struct InFlightTests {
  private static func filled(
    _ count: Int, limit: Int = 1024, matching: LoadPlan.Matching
  ) -> InFlight {
    var ring = InFlight(limit: limit, matching: matching)
    for index in 0..<count { _ = ring.push(intended: Int64(index), sent: Int64(index) + 10) }
    return ring
  }

  private static func stamp(_ index: Int64) -> InFlight.Match {
    .answered(InFlight.Stamp(intended: index, sent: index + 10))
  }

  @Test func firstInFirstOutWhileItGrowsAndWraps() {
    var ring = InFlight(limit: 1000, matching: .fifo)
    var random = SeededGenerator(seed: 4)
    var model: [Int64] = []
    var next: Int64 = 0
    for _ in 0..<20_000 {
      if Int.random(in: 0..<100, using: &random) < 52 {
        let admission = ring.push(intended: next, sent: next + 10)
        if model.count < 1000 {
          #expect(admission == .admitted(sequence: UInt64(next)))
          model.append(next)
          next += 1
        } else {
          #expect(admission == .full)
        }
      } else {
        let expected = model.isEmpty ? InFlight.Match.unknown : Self.stamp(model.removeFirst())
        #expect(ring.answer() == expected)
      }
      #expect(ring.waiting == model.count)
    }
  }

  @Test func theLimitHolds() {
    var ring = Self.filled(3, limit: 3, matching: .fifo)
    #expect(ring.push(intended: 9, sent: 9) == .full)
    #expect(ring.answer() == Self.stamp(0))
    #expect(ring.push(intended: 9, sent: 9) == .admitted(sequence: 3))
    #expect(InFlight(limit: -5, matching: .fifo).limit == 1)
  }

  @Test func idsMatchInAnyOrder() {
    var ring = Self.filled(5, matching: .sequence)
    #expect(ring.answer(sequence: 3) == Self.stamp(3))
    #expect(ring.answer(sequence: 0) == Self.stamp(0))
    #expect(ring.answer(sequence: 0) == .duplicate)
    #expect(ring.answer(sequence: 3) == .duplicate)
    #expect(ring.answer(sequence: 5) == .unknown)
    #expect(ring.answer(sequence: UInt64.max) == .unknown)
    #expect(ring.answer(sequence: 4) == Self.stamp(4))
    #expect(ring.answer(sequence: 1) == Self.stamp(1))
    #expect(ring.answer(sequence: 2) == Self.stamp(2))
    #expect(ring.waiting == 0)
    #expect(ring.push(intended: 0, sent: 0) == .admitted(sequence: 5))
  }

  @Test(arguments: [1, 2, 3])
  func idsAgainstADictionary(seed: UInt64) {
    var ring = InFlight(limit: 64, matching: .sequence)
    var random = SeededGenerator(seed: seed)
    var model: [UInt64: Int64] = [:]
    var now: Int64 = 0
    var next: UInt64 = 0
    var givenUp: Set<UInt64> = []
    for _ in 0..<20_000 {
      now += 1
      switch Int.random(in: 0..<10, using: &random) {
      case 0...4:
        guard case .admitted(let sequence) = ring.push(intended: now, sent: now) else {
          // The oldest one that waits holds the room of all that came after it.
          #expect(model.keys.min().map { next - $0 >= 64 } ?? false)
          break
        }
        #expect(sequence == next)
        model[sequence] = now
        next += 1
      case 5...8:
        guard next > 0 else { break }
        let sequence = UInt64.random(in: (next > 80 ? next - 80 : 0)..<next, using: &random)
        let expected = model.removeValue(forKey: sequence).map {
          InFlight.Match.answered(InFlight.Stamp(intended: $0, sent: $0))
        }
        let otherwise: InFlight.Match = givenUp.remove(sequence) == nil ? .duplicate : .late
        #expect(ring.answer(sequence: sequence) == expected ?? otherwise)
      default:
        let old = model.filter { $0.value < now - 100 }
        for sequence in old.keys { model[sequence] = nil }
        givenUp.formUnion(old.keys)
        #expect(ring.expire(sentBefore: now - 100).all == old.count)
      }
      #expect(ring.waiting == model.count)
    }
  }

  @Test func lateRepliesInOrderFindTheirOwnMessage() {
    var ring = Self.filled(4, matching: .fifo)
    #expect(ring.expire(sentBefore: 12).all == 2)
    #expect(ring.expire(sentBefore: 12).all == 0)
    #expect(ring.waiting == 2)
    #expect(ring.answer() == .late)
    #expect(ring.answer() == .late)
    #expect(ring.answer() == Self.stamp(2))
    #expect(ring.expire(sentBefore: 100).all == 1)
    #expect(ring.answer() == .late)
    #expect(ring.answer() == .unknown)
  }

  @Test("low: a late reply is not a double reply") func givenUpByIdMakesRoom() {
    var ring = Self.filled(3, limit: 3, matching: .sequence)
    #expect(ring.expire(sentBefore: 12).all == 2)
    #expect(ring.push(intended: 50, sent: 60) == .admitted(sequence: 3))
    #expect(ring.answer(sequence: 1) == .late)
    #expect(ring.answer(sequence: 1) == .duplicate)
  }

  @Test func givenUpNumbersShareRanges() {
    var set = SequenceSet()
    for number in UInt64(10)..<30 { set.append(number) }
    for number in UInt64(40)..<42 { set.append(number) }
    let removed = [9, 30, 42, 20, 20, 10, 29, 40, 41, 21, 40].map { set.remove($0) }
    #expect(
      removed == [
        false, false, false, true, false, true, true, true, true, true, false,
      ])
  }

  @Test func aLostConnectionGivesUpAll() {
    var ring = Self.filled(9, matching: .sequence)
    _ = ring.answer(sequence: 4)
    var stamps: [Int64] = []
    #expect(
      ring.abandon(measuredFrom: 5) { stamps.append($0.intended) }
        == InFlight.Dropped(all: 8, measured: 4))
    #expect(stamps == [5, 6, 7, 8])
    #expect(ring.waiting == 0)
    #expect(ring.abandon().all == 0)
    #expect(ring.answer(sequence: 2) == .duplicate)
    #expect(ring.push(intended: 0, sent: 0) == .admitted(sequence: 9))
  }
}

@Suite(.blocking) struct MessageIDTests {
  private static let ids: [(Int, UInt64, String)] = [
    (0, 0, "0000000000000000"), (1, 255, "00000100000000ff"),
    (0xFF_FFFF, 0xFF_FFFF_FFFF, "ffffffffffffffff"), (0x100_0002, 1 << 40 | 7, "0000020000000007"),
  ]

  @Test(arguments: ids)
  func writesAndReads(connection: Int, sequence: UInt64, text: String) {
    let id = MessageID(connection: connection, sequence: sequence)
    var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: 20)
    bytes.withUnsafeMutableBytes { id.write(to: $0) }
    #expect(String(decoding: bytes, as: UTF8.self) == text + "xxxx")
    #expect(bytes.withUnsafeBytes { MessageID($0) } == id)
    #expect(id.connection == UInt64(connection) & 0xFF_FFFF)
  }

  @Test(arguments: [
    "", "00000000000000", "000000000000000g", "000000000000000F", "x000000000000000",
  ])
  func noId(text: String) {
    #expect(Array(text.utf8).withUnsafeBytes { MessageID($0) } == nil)
  }

  @Test func everyByteInEveryPlace() {
    let digits = Array("0123456789abcdef".utf8)
    for endpoint in 0..<MessageID.length {
      for byte in UInt8.min...UInt8.max {
        var text = Array("0123456789abcdef".utf8)
        text[endpoint] = byte
        let id = text.withUnsafeBytes { MessageID($0) }
        #expect((id != nil) == digits.contains(byte))
        guard let id else { continue }
        var written = [UInt8](repeating: 0, count: MessageID.length)
        written.withUnsafeMutableBytes { id.write(to: $0) }
        #expect(written == text)
      }
    }
  }

  @Test func aShortPayloadIsLeftAlone() {
    var bytes = [UInt8](repeating: 1, count: 15)
    bytes.withUnsafeMutableBytes { MessageID(connection: 1, sequence: 1).write(to: $0) }
    #expect(bytes.allSatisfy { $0 == 1 })
  }
}
