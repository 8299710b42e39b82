import Glibc

/// Figures of this process, as the kernel reports them.
struct ProcessFigures: Sendable {
  var cpuSeconds: Double
  var residentBytes: UInt64
  var openFiles: Int
  var maxFiles: UInt64
  /// Seconds since 1970.
  var startTime: Double

  /// The figures of now.
  static func current() -> Self {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    var files = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
    let pages = Self.text("/proc/self/statm").split(separator: " ").dropFirst().first
    return Self(
      cpuSeconds: Double(time.tv_sec) + Double(time.tv_nsec) / 1e9,
      residentBytes: (pages.flatMap { UInt64($0) } ?? 0)
        * UInt64(max(sysconf(Int32(_SC_PAGESIZE)), 0)),
      openFiles: countOpenFiles(), maxFiles: UInt64(files.rlim_cur), startTime: started)
  }

  private static let started: Double = {
    // The command name, in parentheses, may contain spaces.
    let fields = text("/proc/self/stat").split(separator: ")").last?.split(separator: " ") ?? []
    let boot = text("/proc/stat").split(separator: "\n").first { $0.hasPrefix("btime ") }
      .flatMap { Double($0.dropFirst("btime ".count)) }
    guard fields.count > 19, let ticks = Double(fields[19]), let boot else { return 0 }
    return boot + ticks / Double(max(sysconf(Int32(_SC_CLK_TCK)), 1))
  }()

  private static func countOpenFiles() -> Int {
    guard let directory = opendir("/proc/self/fd") else { return 0 }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    // Without ".", ".." and the directory itself.
    return max(count - 3, 0)
  }

  private static func text(_ path: String) -> String {
    guard let file = fopen(path, "re") else { return "" }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 64 * 1024)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes.prefix(count), as: UTF8.self)
  }
}
