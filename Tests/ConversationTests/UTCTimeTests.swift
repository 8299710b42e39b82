import Conversation
import Glibc
import Testing

/// The calendar, beside that of the C library.
@Suite struct UTCTimeTests {
  @Test func isTheCalendarOfTheLibrary() {
    var random = SeededGenerator(seed: 11)
    // The years from 0 to 9999.
    let seconds = (0..<5000).map { _ in
      Int64.random(in: -62_167_219_200...253_402_300_799, using: &random)
    }
    for second in seconds + [-62_167_219_200, -1, 0, 951_782_399, 951_782_400, 253_402_300_799] {
      var (time, parts) = (time_t(second), tm())
      gmtime_r(&time, &parts)
      var text = [CChar](repeating: 0, count: 32)
      strftime(&text, text.count, "-%m-%dT%H:%M:%SZ", &parts)
      let year = String(Int(parts.tm_year) + 1900)
      let wanted =
        String(repeating: "0", count: 4 - year.count) + year
        + String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      #expect(UTCTime.text(second: second) == wanted)
    }
  }

  @Test func isReadAsItIsWritten() {
    var random = SeededGenerator(seed: 12)
    for _ in 0..<1000 {
      let time = UTCTime(
        Int64.random(in: -8_000_000_000_000_000_000...7_000_000_000_000_000_000, using: &random))
      #expect(UTCTime(time.text) == time)
    }
  }
}
