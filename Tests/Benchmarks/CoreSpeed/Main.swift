import Glibc
import WebSocketProtocol

/// How fast the parts of the core are that touch every byte, beside what the standard library does:
/// one line of JSON in GB/s. `core.py` runs it many times.
@main
enum CoreSpeed {
  static func main() {
    let size = 16 * 1024
    var figures: [(String, Double)] = []
    let source = buffer(size, filledBy: { UInt8(truncatingIfNeeded: $0 &* 31) })
    let target = buffer(size, filledBy: { _ in 0 })
    figures.append(
      ("memcpy", speed(size) { target.copyMemory(from: UnsafeRawBufferPointer(source)) }))
    var key: UInt32 = 0x1234_5678
    figures.append(
      (
        "masking",
        speed(size) {
          key &+= 1
          guard let base = target.baseAddress else { return }
          Masking.apply(key, from: base, to: base, count: size)
        }
      ))
    let texts = [
      ("ASCII", "The quick brown fox jumps over the lazy dog. "),
      (
        "multi-byte",
        "Zażółć gęślą jaźń; съешь же ещё этих мягких французских булок; 色は匂へど 散りぬるを 🦊🐕 "
      ),
      ("CJK", "色は匂へど散りぬるを我が世誰ぞ常ならむ有為の奥山今日越えて浅き夢見じ酔ひもせず"),
    ]
    for (name, text) in texts {
      let bytes = Array(String(repeating: text, count: 1 + size / text.utf8.count).utf8)
      bytes.withUnsafeBytes { bytes in
        figures.append(
          (
            name,
            speed(bytes.count) {
              var validator = UTF8Validator()
              guard validator.validate(bytes), validator.isComplete else { exit(1) }
            }
          ))
        figures.append(
          (
            name + ", String",
            speed(bytes.count) {
              guard String(validating: bytes, as: UTF8.self) != nil else { exit(1) }
            }
          ))
      }
    }
    let fields = figures.map { name, speed in "\"\(name)\": \(speed)" }
    print("{" + fields.joined(separator: ", ") + "}")
  }

  private static func buffer(
    _ size: Int, filledBy byte: (Int) -> UInt8
  ) -> UnsafeMutableRawBufferPointer {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
    for index in bytes.indices { bytes[index] = byte(index) }
    return bytes
  }

  /// GB/s of `body`, which handles `size` bytes: the best of twenty stretches of some 2 ms each, since
  /// whatever else the machine does can only make it slower.
  private static func speed(_ size: Int, _ body: () -> Void) -> Double {
    let turns = max(1, 4_000_000 / size)
    var least = Double.infinity
    for _ in 0..<20 {
      let begin = now()
      for _ in 0..<turns { body() }
      least = min(least, Double(now() - begin))
    }
    return Double(size * turns) / least
  }

  private static func now() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }
}
