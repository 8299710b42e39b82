import NIOCore
import NIOSSL
import WebSocketProtocol

/// Whether a certificate is valid for the requested host (RFC 9525 section 6).
///
/// Only the host of the URL is compared: the address that the connection goes to proves nothing, so
/// a certificate for 127.0.0.1 is not valid for `example.org`, whatever that name resolves to.
struct HostIdentity {
  /// The host of the URL, in ASCII; an IPv6 address without brackets.
  let host: String

  func matches(_ certificate: NIOSSLCertificate) -> Bool {
    let address = try? SocketAddress(ipAddress: host, port: 0)
    return certificate._subjectAlternativeNames().contains { name in
      let bytes = Array(name.contents)
      switch name.nameType {
      case .dnsName: return address == nil && Self.matches(host, pattern: bytes)
      case .ipAddress: return address != nil && address == Self.socketAddress(bytes)
      default: return false
      }
    }
  }

  /// "If a wildcard is present, it must be the complete left-most label"; it matches exactly one
  /// label.
  static func matches(_ host: String, pattern: [UInt8]) -> Bool {
    let host = labels(Array(host.utf8))
    let pattern = labels(pattern)
    guard host.count == pattern.count, host.allSatisfy({ !$0.isEmpty }) else { return false }
    guard pattern.first == [UInt8(ascii: "*")] else { return host == pattern }
    // A wildcard for a whole top-level domain is not accepted.
    return host.count > 2 && host.dropFirst() == pattern.dropFirst()
  }

  /// The labels in lower case; the dot of the root adds none.
  private static func labels(_ name: [UInt8]) -> [[UInt8]] {
    var name = name.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
    if name.last == UInt8(ascii: ".") { name.removeLast() }
    return name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map(
      Array.init)
  }

  static func address(_ bytes: [UInt8]) -> String? { socketAddress(bytes)?.ipAddress }

  private static func socketAddress(_ bytes: [UInt8]) -> SocketAddress? {
    guard bytes.count == 4 || bytes.count == 16 else { return nil }
    return try? SocketAddress(packedIPAddress: ByteBuffer(bytes: bytes), port: 0)
  }
}
