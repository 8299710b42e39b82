/// The CPU limits of the control groups of this process (cgroups(7)), as containers have them. A
/// process over its limit is stopped for the rest of a period, usually tens of milliseconds.
enum CPUQuota {
  /// How often a limit has stopped the process: see `nr_throttled` in the kernel's cgroup-v2 and
  /// sched-bwc documentation.
  struct Throttling: Sendable, Equatable {
    /// Scheduler periods in which the group ran.
    var periods: Int
    /// Periods in which the group was stopped.
    var throttled: Int
  }

  /// - Returns: The limit in cores; nil without a limit.
  static func current() -> Double? {
    HostFacts.contents(of: "/proc/self/cgroup").flatMap {
      quota(groups: $0, HostFacts.contents(of:))
    }
  }

  /// - Returns: The figures of the group that was stopped most often; nil without a limit.
  static func throttling() -> Throttling? {
    HostFacts.contents(of: "/proc/self/cgroup").flatMap {
      throttling(groups: $0, HostFacts.contents(of:))
    }
  }

  /// The smallest CPU limit of a process.
  ///
  /// - Parameters:
  ///   - groups: The text of /proc/self/cgroup: lines `ID:CONTROLLERS:PATH`, where version 2 has no
  ///     controllers.
  ///   - contents: Reads a file.
  /// - Returns: The limit in cores; nil without a limit.
  static func quota(groups: String, _ contents: (String) -> String?) -> Double? {
    var least: Double?
    eachGroup(in: groups) { folder, isFirstVersion in
      if let limit = limit(of: folder, isFirstVersion, contents) {
        least = min(least ?? limit, limit)
      }
    }
    return least
  }

  /// How often a group with a limit was stopped.
  ///
  /// - Parameters:
  ///   - groups: The text of /proc/self/cgroup.
  ///   - contents: Reads a file.
  /// - Returns: The figures of the group that was stopped most often; nil without a limit.
  static func throttling(groups: String, _ contents: (String) -> String?) -> Throttling? {
    var worst: Throttling?
    eachGroup(in: groups) { folder, isFirstVersion in
      guard limit(of: folder, isFirstVersion, contents) != nil,
        let statistics = contents(folder + "/cpu.stat"),
        let periods = number("nr_periods", in: statistics),
        let throttled = number("nr_throttled", in: statistics),
        throttled >= worst?.throttled ?? 0
      else { return }
      worst = Throttling(periods: periods, throttled: throttled)
    }
    return worst
  }

  /// Visits the directories of all groups of a process; the flag says whether one is of version 1.
  private static func eachGroup(in groups: String, _ visit: (String, Bool) -> Void) {
    for line in groups.split(whereSeparator: \.isNewline) {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let isFirstVersion = parts[1].split(separator: ",").contains("cpu")
      guard isFirstVersion || parts[1].isEmpty else { continue }
      // The limit of a group also applies to the groups within it. In a container the path may be
      // the one on the host: then only the root exists, and it is the group of the container.
      var names = parts[2].split(separator: "/")
      while true {
        let path = names.map { "/" + $0 }.joined()
        visit("/sys/fs/cgroup" + (isFirstVersion ? "/cpu" : "") + path, isFirstVersion)
        if names.popLast() == nil { break }
      }
    }
  }

  private static func limit(
    of folder: String, _ isFirstVersion: Bool, _ contents: (String) -> String?
  ) -> Double? {
    isFirstVersion
      ? quota(contents(folder + "/cpu.cfs_quota_us"), contents(folder + "/cpu.cfs_period_us"))
      : quota(contents(folder + "/cpu.max"), "")
  }

  /// The number after a name in a file of lines `NAME NUMBER`.
  private static func number(_ name: String, in statistics: String) -> Int? {
    for line in statistics.split(whereSeparator: \.isNewline) {
      let words = line.split(separator: " ")
      if words.count == 2, words[0] == name { return Int(words[1]) }
    }
    return nil
  }

  /// The ratio of time and period, which are in one file or in two; `max` or -1 means no limit.
  private static func quota(_ time: String?, _ period: String?) -> Double? {
    guard let time, let period else { return nil }
    let numbers = "\(time) \(period)".split(whereSeparator: \.isWhitespace).map { Double($0) }
    guard numbers.count == 2, let time = numbers[0], let period = numbers[1], time > 0, period > 0
    else { return nil }
    return time / period
  }
}
