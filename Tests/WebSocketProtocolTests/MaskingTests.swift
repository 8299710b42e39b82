import NIOCore
import Testing
import WebSocketProtocol

/// RFC 6455 section 5.3: masking, and where the keys come from.
@Suite struct MaskingTests {
  private static let octets: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]

  private static func key(_ octets: [UInt8]) -> UInt32 {
    octets.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
  }

  /// "octet i of the transformed data is the XOR of octet i of the original data with octet at
  /// index i modulo 4 of the masking key"
  private static func masked(_ bytes: [UInt8], from index: Int = 0) -> [UInt8] {
    bytes.enumerated().map { $1 ^ octets[($0 + index) % 4] }
  }

  private static func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) }
  }

  @Test func everyLengthAndAlignmentInPlace() {
    for count in 0..<70 {
      for alignment in 0..<8 {
        let guarded: [UInt8] = [UInt8](repeating: 0xA5, count: 8)
        let plain = Self.bytes(count)
        var memory = [UInt8](repeating: 0xA5, count: alignment) + plain + guarded
        memory.withUnsafeMutableBytes { memory in
          guard let base = memory.baseAddress?.advanced(by: alignment) else { return }
          Masking.apply(Self.key(Self.octets), from: base, to: base, count: count)
        }
        #expect(
          memory == [UInt8](repeating: 0xA5, count: alignment) + Self.masked(plain) + guarded)
      }
    }
  }

  @Test func everyLengthFromOneAlignmentToAnother() {
    for count in 0..<70 {
      for (from, to) in [(0, 0), (1, 0), (0, 1), (3, 5), (7, 2), (4, 4)] {
        let plain = Self.bytes(count)
        let source = [UInt8](repeating: 0, count: from) + plain
        var target = [UInt8](repeating: 0xA5, count: to + count + 8)
        source.withUnsafeBytes { source in
          target.withUnsafeMutableBytes { target in
            guard let source = source.baseAddress, let target = target.baseAddress else { return }
            Masking.apply(
              Self.key(Self.octets), from: source.advanced(by: from),
              to: target.advanced(by: to), count: count)
          }
        }
        let frame = [UInt8](repeating: 0xA5, count: 8)
        #expect(target == frame[..<to] + Self.masked(plain) + frame)
        #expect(Array(source[from...]) == plain)
      }
    }
  }

  @Test func aKeyIsRotatedByWhatWasMasked() {
    for index in 0..<70 {
      let rotated = Masking.rotated(Self.key(Self.octets), by: index)
      var bytes = Self.bytes(69)
      bytes.withUnsafeMutableBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        Masking.apply(rotated, from: base, to: base, count: 69)
      }
      #expect(bytes == Self.masked(Self.bytes(69), from: index))
    }
    #expect(Masking.rotated(Self.key(Self.octets), by: 4) == Self.key(Self.octets))
    #expect(Masking.rotated(Self.key(Self.octets), by: 5) == Self.key([0xFA, 0x21, 0x3D, 0x37]))
  }

  /// Payloads in pieces of every size go on with the right octet of the key.
  @Test func payloadsInPiecesOfEverySize() {
    let payload = Self.bytes(150)
    let wire = WireFrame.wire([.binary(payload), .binary(payload)], to: .server)
    for size in 1..<90 {
      var listener = Listener(.server)
      for start in stride(from: 0, to: wire.count, by: size) {
        listener.feed(
          wire[start..<min(start + size, wire.count)], sourceLocation: #_sourceLocation)
      }
      #expect(listener.heard == [.binary(payload), .binary(payload)], "pieces of \(size)")
    }
  }
}

/// RFC 6455 section 5.3 and SECURITY R10: "the masking key MUST be derived from a strong source of
/// entropy", each frame its own.
@Suite struct MaskingKeysTests {
  /// Fills with 1, 2, 3, ... and counts how often and how much it was asked.
  private final class Source {
    private(set) var fills: [Int] = []
    private var next: UInt32 = 0

    func fill(_ space: UnsafeMutableRawBufferPointer) {
      fills.append(space.count)
      for offset in stride(from: 0, to: space.count, by: 4) {
        next &+= 1
        space.storeBytes(of: next, toByteOffset: offset, as: UInt32.self)
      }
    }
  }

  @Test func keysAreHandedOutOnceAndInOrder() {
    let source = Source()
    let keys = MaskingKeys(fill: source.fill)
    // Nothing is asked for before it is needed.
    #expect(source.fills == [])
    for expected in UInt32(1)...3000 { #expect(keys.take() == expected) }
    #expect(source.fills == [4096, 4096, 4096])
    for expected in UInt32(3001)...3073 { #expect(keys.take() == expected) }
    #expect(source.fills.count == 4)
  }

  @Test func everyFrameHasAFreshKey() throws {
    let source = Source()
    let keys = MaskingKeys(fill: source.fill)
    var machines = (0..<2).map { _ in
      ConnectionMachine(clientWith: keys, limits: Limits(messageSize: 10))
    }
    var seen: Set<[UInt8]> = []
    for frame in 0..<100_000 {
      let machine = frame % 2
      switch frame % 5 {
      case 0: try machines[machine].sendPing([])
      case 1: try machines[machine].sendPong([1])
      case 2: try machines[machine].send(.binary, [])
      default: try machines[machine].send(.text, [0x61])
      }
      let sent = WireFrame.decode(Array(machines[machine].output.readableBytesView)) ?? []
      #expect(sent.count == 1)
      if let key = sent.first?.key { seen.insert(key) }
      machines[machine].output.clear()
    }
    #expect(seen.count == 100_000)
    #expect(source.fills == [Int](repeating: 4096, count: 98))
    // A Close and a pong have their own too.
    var listener = Listener(.client)
    listener.feed(
      WireFrame.wire([.ping("a"), .ping("b"), .close(1000)], to: .client),
      sourceLocation: #_sourceLocation)
    let answers = WireFrame.decode(Array(listener.machine.output.readableBytesView)) ?? []
    #expect(answers.map(\.key) == [[0, 0, 0, 1], [0, 0, 0, 2], [0, 0, 0, 3]])
  }
}
