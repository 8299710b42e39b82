import Glibc

/// A time stamp as RFC 3339 writes it: `2026-11-23T08:15:00.250Z`.
struct UTCTime {
  /// The time stamp with milliseconds.
  let text: String

  /// - Parameter nanoseconds: Since 1970, UTC.
  init(_ nanoseconds: Int64) {
    // Rounded down, so that times before 1970 have positive milliseconds too.
    var milliseconds = nanoseconds / 1_000_000
    if nanoseconds % 1_000_000 < 0 { milliseconds -= 1 }
    let fraction = ((milliseconds % 1000) + 1000) % 1000
    let parts = Self.second((milliseconds - fraction) / 1000)
    text = parts.date + "T" + parts.clock + "." + Self.padded(Int(fraction), 3) + "Z"
  }

  /// `2026-11-23T08:15:00Z`, of a second since 1970.
  static func text(second: Int64) -> String {
    let parts = Self.second(second)
    return parts.date + "T" + parts.clock + "Z"
  }

  /// Date and time of day in UTC, of a second since 1970. Certificates last longer than ns do.
  static func second(_ seconds: Int64) -> (date: String, clock: String) {
    var seconds = time_t(seconds)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    let date = [Self.padded(Int(parts.tm_year) + 1900, 4), Self.padded(Int(parts.tm_mon) + 1, 2)]
    let clock = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { Self.padded(Int($0), 2) }
    let day = [Self.padded(Int(parts.tm_mday), 2)]
    return ((date + day).joined(separator: "-"), clock.joined(separator: ":"))
  }

  /// The wall clock: ns since 1970.
  static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  private static func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
