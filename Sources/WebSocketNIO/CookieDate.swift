import WebSocketProtocol

/// Dates in cookies, parsed as RFC 6265 section 5.1.1 requires: by their parts in any order, since
/// servers use many formats.
enum CookieDate {
  /// Seconds since 1970; nil if the text is not a date.
  static func seconds(_ text: String) -> Int64? {
    var time: (hour: Int64, minute: Int64, second: Int64)?
    var day: Int64?
    var month: Int64?
    var year: Int64?
    for token in text.utf8.split(whereSeparator: isDelimiter) {
      if time == nil, let found = self.time(token) {
        time = found
      } else if day == nil, let found = digits(token, 1...2) {
        day = found
      } else if month == nil, let found = self.month(token) {
        month = found
      } else if year == nil, let found = digits(token, 2...4) {
        year = found
      }
    }
    guard let time, let day, let month, var year else { return nil }
    if (70...99).contains(year) { year += 1900 }
    if (0...69).contains(year) { year += 2000 }
    guard (1...31).contains(day), year >= 1601, time.hour < 24, time.minute < 60, time.second < 60
    else { return nil }
    return daysSince1970(year, month, day) * 86_400 + time.hour * 3600 + time.minute * 60
      + time.second
  }

  private static func isDelimiter(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x09, 0x20...0x2F, 0x3B...0x40, 0x5B...0x60, 0x7B...0x7E: true
    default: false
    }
  }

  private static func time(_ token: Substring.UTF8View) -> (Int64, Int64, Int64)? {
    let parts = token.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard parts.count == 3, let hour = digits(parts[0], 1...2),
      let minute = digits(parts[1], 1...2),
      let second = digits(parts[2], 1...2)
    else { return nil }
    return (hour, minute, second)
  }

  private static func digits(_ token: Substring.UTF8View, _ count: ClosedRange<Int>) -> Int64? {
    let digits = token.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    let text = Substring(digits)
    return count.contains(digits.count) ? Int64(text, radix: 10) : nil
  }

  private static func month(_ token: Substring.UTF8View) -> Int64? {
    let names = [
      "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]
    let name = Substring(token.prefix(3)).lowercased()
    return names.firstIndex(of: name).map { $0.asInt64 + 1 }
  }

  /// Days in the Gregorian calendar, with years that start in March so that the leap day is the
  /// last.
  private static func daysSince1970(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let years = month <= 2 ? year - 1 : year
    let months = (month + 9) % 12
    return years * 365 + years / 4 - years / 100 + years / 400 + (months * 153 + 2) / 5 + day
      - 719_469
  }
}
