/// What the control groups of a process let it have of the CPU (cgroups(7)): containers have such limits.
/// Who is over it sleeps for the rest of a period, some tens of milliseconds.
enum CPUQuota {
  /// - Returns: In cores; nil without a limit.
  static func current() -> Double? {
    HostFacts.contents(of: "/proc/self/cgroup").flatMap {
      quota(groups: $0, HostFacts.contents(of:))
    }
  }

  /// The smallest of the limits that a process has.
  ///
  /// - Parameters:
  ///   - groups: The text of /proc/self/cgroup: lines `ID:CONTROLLERS:PATH`, no controllers for version 2.
  ///   - contents: Reads a file.
  /// - Returns: In cores; nil without a limit.
  static func quota(groups: String, _ contents: (String) -> String?) -> Double? {
    var least: Double?
    for line in groups.split(whereSeparator: \.isNewline) {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let isFirstVersion = parts[1].split(separator: ",").contains("cpu")
      guard isFirstVersion || parts[1].isEmpty else { continue }
      // The limit of a group is one of the groups within it, too. In a container the path may be that of
      // the host: then only the root is there, and it is the group of the container.
      var names = parts[2].split(separator: "/")
      while true {
        let path = names.map { "/" + $0 }.joined()
        let limit =
          isFirstVersion
          ? quota(
            contents("/sys/fs/cgroup/cpu\(path)/cpu.cfs_quota_us"),
            contents("/sys/fs/cgroup/cpu\(path)/cpu.cfs_period_us"))
          : quota(contents("/sys/fs/cgroup\(path)/cpu.max"), "")
        if let limit { least = min(least ?? limit, limit) }
        if names.popLast() == nil { break }
      }
    }
    return least
  }

  /// Time and period, which stand in one file or in two; no limit is `max` or -1.
  private static func quota(_ time: String?, _ period: String?) -> Double? {
    guard let time, let period else { return nil }
    let numbers = "\(time) \(period)".split(whereSeparator: \.isWhitespace).map { Double($0) }
    guard numbers.count == 2, let time = numbers[0], let period = numbers[1], time > 0, period > 0
    else { return nil }
    return time / period
  }
}
