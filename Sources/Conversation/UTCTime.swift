/// A wall-clock time in the format of RFC 3339, in UTC: `2026-11-23T08:15:00.250Z`.
package struct UTCTime: Sendable, Hashable {
  /// Time since 1970 in ns, UTC, in whole milliseconds.
  package let nanoseconds: Int64

  /// In seconds.
  private static let day: Int64 = 86_400
  /// The number of days in 400 years, and from 0000-03-01 to 1970-01-01.
  private static let era: Int64 = 146_097
  private static let epoch: Int64 = 719_468

  /// - Parameter nanoseconds: since 1970, UTC; rounded down to a millisecond.
  package init(_ nanoseconds: Int64) {
    self.nanoseconds = Self.floor(nanoseconds, 1_000_000) * 1_000_000
  }

  /// Parses the format of `text`; nil for any other.
  package init?(_ text: String) {
    let bytes = Array(text.utf8)
    let form = Array("0000-00-00T00:00:00.000Z".utf8)
    guard bytes.count == form.count else { return nil }
    var fields: [Int64] = [0]
    for (byte, expected) in zip(bytes, form) {
      if expected == UInt8(ascii: "0") {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        fields[fields.count - 1] = fields[fields.count - 1] * 10 + Int64(byte - UInt8(ascii: "0"))
      } else {
        guard byte == expected else { return nil }
        fields.append(0)
      }
    }
    // The range of years that fits into 64-bit nanoseconds.
    guard (1700...2200).contains(fields[0]), (1...12).contains(fields[1]),
      (1...31).contains(fields[2])
    else { return nil }
    let seconds =
      Self.days(fields[0], fields[1], fields[2]) * Self.day
      + (fields[3] * 60 + fields[4]) * 60 + fields[5]
    nanoseconds = (seconds * 1000 + fields[6]) * 1_000_000
    // Rejects times such as February 30 or 25 o'clock.
    guard self.text == text else { return nil }
  }

  /// The time with milliseconds.
  package var text: String {
    let second = Self.floor(nanoseconds, 1_000_000_000)
    let (date, clock) = Self.second(second)
    let milliseconds = (nanoseconds - second * 1_000_000_000) / 1_000_000
    return date + "T" + clock + "." + Self.padded(milliseconds, 3) + "Z"
  }

  /// `2026-11-23T08:15:00Z`, of a second since 1970.
  package static func text(second: Int64) -> String {
    let (date, clock) = Self.second(second)
    return date + "T" + clock + "Z"
  }

  /// Date and time of day in UTC, for a second since 1970. In seconds, since certificates may
  /// outlast the range of nanoseconds.
  package static func second(_ second: Int64) -> (date: String, clock: String) {
    let days = floor(second, day)
    let rest = second - days * day
    let (year, month, day) = Self.date(days)
    let date = [padded(year, 4), padded(month, 2), padded(day, 2)]
    let clock = [rest / 3600, rest / 60 % 60, rest % 60].map { padded($0, 2) }
    return (date.joined(separator: "-"), clock.joined(separator: ":"))
  }

  /// The days from 1970 to a date. Years begin in March, so that a leap day is the last of its
  /// year.
  private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let years = month <= 2 ? year - 1 : year
    let ofYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
    return years * 365 + floor(years, 4) - floor(years, 100) + floor(years, 400) + ofYear - epoch
  }

  private static func date(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + epoch
    let eras = floor(shifted, era)
    let ofEra = shifted - eras * era
    let years = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
    let ofYear = ofEra - (365 * years + years / 4 - years / 100)
    let month = (5 * ofYear + 2) / 153
    let year = years + eras * 400 + (month >= 10 ? 1 : 0)
    return (year, month < 10 ? month + 3 : month - 9, ofYear - (153 * month + 2) / 5 + 1)
  }

  private static func floor(_ number: Int64, _ divisor: Int64) -> Int64 {
    number / divisor - (number % divisor < 0 ? 1 : 0)
  }

  private static func padded(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
