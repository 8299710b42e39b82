import NIOCore
import WebSocketProtocol
import NIOSSL

extension PeerCertificate {
  /// Reads names and end of a certificate.
  init(_ certificate: NIOSSLCertificate) {
    let names = certificate._subjectAlternativeNames().compactMap { name -> String? in
      let bytes = Array(name.contents)
      switch name.nameType {
      case .dnsName, .uri, .email: return String(decoding: bytes, as: UTF8.self)
      case .ipAddress where bytes.count == 4: return bytes.map(String.init).joined(separator: ".")
      case .ipAddress where bytes.count == 16: return Self.address(bytes)
      default: return nil
      }
    }
    self.init(names: names, notAfter: certificate.notValidAfter.signed64)
  }

  private static func address(_ bytes: [UInt8]) -> String? {
    var buffer = ByteBuffer()
    buffer.writeBytes(bytes)
    return try? SocketAddress(packedIPAddress: buffer, port: 0).ipAddress
  }
}
