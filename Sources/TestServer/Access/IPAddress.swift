import Glibc

/// An IPv4 or IPv6 address literal in its standard text form.
enum IPAddress: Equatable {
  case v4(UInt32)
  case v6([UInt8])

  init?(_ text: String) {
    var four = in_addr()
    if inet_pton(AF_INET, text, &four) == 1 {
      self = .v4(UInt32(bigEndian: four.s_addr))
      return
    }
    var six = in6_addr()
    guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
    self = .v6(withUnsafeBytes(of: &six) { Array($0) })
  }

  /// Whether it is in 127.0.0.0/8 or ::1. An IPv4-mapped address (::ffff:127.0.0.1) does not count:
  /// browsers have no reason to use one, but attackers do.
  var isLoopback: Bool {
    switch self {
    case .v4(let address): address >> 24 == 127
    case .v6(let bytes): bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
    }
  }
}
