import Glibc

/// A sample of the CPU time of the whole machine, to compute its load between two samples.
struct HostLoad: Sendable, Equatable {
  /// Kernel ticks of all cores together.
  var busy: UInt64
  var total: UInt64

  /// The figures since the machine booted; nil if /proc/stat cannot be read.
  static func current() -> HostLoad? {
    let file = open("/proc/stat", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 512)
    let count = read(file, &bytes, bytes.count)
    guard count > 0 else { return nil }
    return HostLoad(stat: String(decoding: bytes[..<count], as: UTF8.self))
  }

  /// Parses the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal.
  init?(stat: String) {
    let line = stat.prefix { $0 != "\n" }.split(separator: " ")
    guard line.first == "cpu" else { return nil }
    // The time of guests, which follows, is already included in user time.
    let ticks = line.dropFirst().prefix(8).compactMap { UInt64($0) }
    guard ticks.count >= 4 else { return nil }
    total = ticks.reduce(0, &+)
    let idle = ticks[3] &+ (ticks.count > 4 ? ticks[4] : 0)
    busy = total &- idle
  }

  /// The busy share since an earlier sample.
  ///
  /// - Parameters:
  ///   - earlier: The earlier sample.
  ///   - waiting: CPU time to subtract, in nanoseconds.
  /// - Returns: From 0 to 1; nil if less than a second of CPU time has passed on all cores
  ///   together, because the kernel counts in ticks of 10 ms.
  func share(since earlier: HostLoad, without waiting: Int64 = 0) -> Double? {
    let second = Double(sysconf(Int32(_SC_CLK_TCK)))
    guard total > earlier.total, busy >= earlier.busy, Double(total &- earlier.total) >= second
    else { return nil }
    let ticks = Double(waiting) / 1e9 * second
    let counted = Double(busy &- earlier.busy) - ticks
    return min(1, max(0, counted / Double(total &- earlier.total)))
  }
}

/// The number of open files of this process.
enum OpenFileCount {
  /// The current number; nil if /proc/self/fd cannot be read.
  static func current() -> Int? {
    guard let directory = opendir("/proc/self/fd") else { return nil }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    // `.`, `..` and the descriptor of the directory itself do not count.
    return max(0, count - 3)
  }
}
