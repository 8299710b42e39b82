import Glibc

/// Checks whether the limits of the process (`ulimit`) are too low to run at all. The libraries
/// used would trap or hang if they could not open a descriptor or start a thread.
enum ProcessLimits {
  /// The number of descriptors for the event loops, the signals and one connection.
  private static let neededFiles = 24
  private static let mebibyte = 1 << 20

  /// - Throws: `CommandFailure` naming the limit and the required value.
  static func check() throws {
    if let limit = limit(RLIMIT_NOFILE), limit < 64, OpenFiles.raiseLimit() < 64, !canOpenFiles() {
      throw CommandFailure(
        .usage, "the limit of open files is too low: \(limit)", details: ["try: ulimit -n 64"])
    }
    if let limit = limit(RLIMIT_AS), !canMap(neededMemory) {
      throw CommandFailure(
        .usage, "the limit of virtual memory is too low: \(Figures.bytes(limit))",
        details: ["try: ulimit -v \((neededMemory + 256 * mebibyte) / 1024)"])
    }
  }

  /// Address space in bytes: the stacks and allocator arenas of all threads reserve much and use
  /// little.
  private static var neededMemory: Int {
    let processors = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    return min(256 + 128 * processors, 2048) * mebibyte
  }

  /// nil if there is no limit.
  private static func limit(_ resource: __rlimit_resource) -> Int? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0,
      limit.rlim_cur != rlim_t(bitPattern: -1)
    else { return nil }
    return Int(clamping: limit.rlim_cur)
  }

  private static func canOpenFiles() -> Bool {
    var opened: [Int32] = []
    defer { for descriptor in opened { close(descriptor) } }
    for _ in 0..<neededFiles {
      let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { return false }
      opened.append(descriptor)
    }
    return true
  }

  private static func canMap(_ length: Int) -> Bool {
    let address = mmap(nil, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard address != MAP_FAILED else { return false }
    munmap(address, length)
    return true
  }
}
