import Glibc

/// Facts about the machine that ran the test, for the report; nil if unknown.
package struct HostFacts: Sendable, Equatable {
  /// The name of the machine in its network.
  package var name: String?
  /// The operating system, such as `Linux`.
  package var system: String?
  /// The kernel version, such as `6.18.0`.
  package var kernel: String?
  /// The architecture, such as `x86_64`.
  package var machine: String?
  /// The model name of the first processor.
  package var processor: String?
  /// The number of cores that are online.
  package var cores: Int?
  /// CPU limit of the control groups of the process, in cores; nil without a limit.
  package var cpuQuota: Double?
  /// The frequency governor of the first core.
  package var governor: String?
  /// RAM in bytes.
  package var memory: Int?
  /// The soft limit on open files of this process.
  package var fileLimit: Int?
  /// The hard limit on open files of this process.
  package var fileLimitHard: Int?
  /// The range of ephemeral ports (`net.ipv4.ip_local_port_range`).
  package var portRange: ClosedRange<Int>?
  /// Maximum listen backlog (`net.core.somaxconn`).
  package var listenBacklog: Int?
  /// The default TCP congestion control algorithm.
  package var congestionControl: String?

  package init() {}

  /// Queries the system. Reads a few files under /proc and /sys.
  package static func current() -> HostFacts {
    var facts = HostFacts()
    var name = utsname()
    if uname(&name) == 0 {
      facts.name = text(of: name.nodename)
      facts.system = text(of: name.sysname)
      facts.kernel = text(of: name.release)
      facts.machine = text(of: name.machine)
    }
    facts.processor = contents(of: "/proc/cpuinfo").flatMap(processor(cpuinfo:))
    facts.cores = positive(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    facts.cpuQuota = CPUQuota.current()
    facts.governor = line(of: "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if let pages = positive(sysconf(Int32(_SC_PHYS_PAGES))),
      let size = positive(sysconf(Int32(_SC_PAGESIZE)))
    {
      facts.memory = pages &* size
    }
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
      facts.fileLimit = Int(clamping: limit.rlim_cur)
      facts.fileLimitHard = Int(clamping: limit.rlim_max)
    }
    facts.portRange = line(of: "/proc/sys/net/ipv4/ip_local_port_range").flatMap(portRange(_:))
    facts.listenBacklog = line(of: "/proc/sys/net/core/somaxconn").flatMap { Int($0) }
    facts.congestionControl = line(of: "/proc/sys/net/ipv4/tcp_congestion_control")
    return facts
  }

  /// The name of the first processor in the text of /proc/cpuinfo.
  static func processor(cpuinfo: String) -> String? {
    for line in cpuinfo.split(whereSeparator: \.isNewline) {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2, let key = trimmed(parts[0]) else { continue }
      // ARM boards have "Model" instead.
      if key == "model name" || key == "Model" { return trimmed(parts[1]) }
    }
    return nil
  }

  /// Parses the two numbers of ip_local_port_range.
  static func portRange(_ line: String) -> ClosedRange<Int>? {
    let numbers = line.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
    guard numbers.count == 2, numbers[0] <= numbers[1] else { return nil }
    return numbers[0]...numbers[1]
  }

  private static func positive(_ number: Int) -> Int? { number > 0 ? number : nil }

  private static func line(of path: String) -> String? {
    contents(of: path)?.split(whereSeparator: \.isNewline).first.flatMap(trimmed)
  }

  private static func trimmed(_ text: Substring) -> String? {
    var rest = text
    while rest.first?.isWhitespace == true { rest.removeFirst() }
    while rest.last?.isWhitespace == true { rest.removeLast() }
    return rest.isEmpty ? nil : String(rest)
  }

  /// The text up to the first NUL of a C character array, which Swift imports as a tuple.
  private static func text<Characters>(of characters: Characters) -> String? {
    let text = withUnsafeBytes(of: characters) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    return text.isEmpty ? nil : text
  }

  /// The first 64 KiB of a file, enough for the first core in /proc/cpuinfo; nil if it cannot be
  /// opened.
  static func contents(of path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while bytes.count < 65_536 {
      let count = read(file, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      bytes.append(contentsOf: chunk[..<count])
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
