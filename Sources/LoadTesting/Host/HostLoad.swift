import Glibc

/// How busy the whole machine is, from one sample to the next.
struct HostLoad: Sendable, Equatable {
  /// In ticks of the kernel, of all cores together.
  var busy: UInt64
  var total: UInt64

  /// The figures since the machine started; nil where the system has no answer.
  static func current() -> HostLoad? {
    let file = open("/proc/stat", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 512)
    let count = read(file, &bytes, bytes.count)
    guard count > 0 else { return nil }
    return HostLoad(stat: String(decoding: bytes[..<count], as: UTF8.self))
  }

  /// Reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal.
  init?(stat: String) {
    let line = stat.prefix { $0 != "\n" }.split(separator: " ")
    guard line.first == "cpu" else { return nil }
    // Guests are counted in user already.
    let ticks = line.dropFirst().prefix(8).compactMap { UInt64($0) }
    guard ticks.count >= 4 else { return nil }
    total = ticks.reduce(0, &+)
    let idle = ticks[3] &+ (ticks.count > 4 ? ticks[4] : 0)
    busy = total &- idle
  }

  /// The busy share since an earlier sample.
  ///
  /// - Parameters:
  ///   - earlier: The sample before.
  ///   - waiting: CPU that is not to count, in nanoseconds.
  /// - Returns: From 0 to 1; nil when less than a second of CPU time of all cores has passed, for the kernel
  ///   counts in ticks of 10 ms.
  func share(since earlier: HostLoad, without waiting: Int64 = 0) -> Double? {
    let second = Double(sysconf(Int32(_SC_CLK_TCK)))
    guard total > earlier.total, busy >= earlier.busy, Double(total &- earlier.total) >= second
    else { return nil }
    let ticks = Double(waiting) / 1e9 * second
    let counted = Double(busy &- earlier.busy) - ticks
    return min(1, max(0, counted / Double(total &- earlier.total)))
  }
}

/// Open files of this process.
enum OpenFileCount {
  /// How many are open now; nil where the system has no answer.
  static func current() -> Int? {
    guard let directory = opendir("/proc/self/fd") else { return nil }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    // Not `.`, `..` and the one that is being read.
    return max(0, count - 3)
  }
}
