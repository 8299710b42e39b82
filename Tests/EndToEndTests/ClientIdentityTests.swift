import TestPeers
import Testing
import WebSocketNIO

/// Files of certificates and keys that are cut off or damaged: each is read or refused, and never ends
/// the process, which the library does over some bundles.
@Suite(.blocking) struct ClientIdentityTests {
  private func read(
    _ bytes: [UInt8], key: [UInt8]? = nil, passphrase: String? = "hush"
  ) -> TLSFailure? {
    do {
      _ = try ClientIdentity(
        certificate: .init(name: "file", bytes: bytes),
        key: key.map { .init(name: "key", bytes: $0) },
        passphrase: passphrase.map { Array($0.utf8) })
      return nil
    } catch {
      return error
    }
  }

  private func expectNamed(_ failure: TLSFailure?, _ what: String) {
    guard case .clientCertificate(let reason) = failure else {
      Issue.record("\(what): \(String(describing: failure))")
      return
    }
    #expect(reason.contains("file") || reason.contains("key"), "\(what): \(reason)")
  }

  @Test func aBundleThatIsCutOff() throws {
    let bundle = try TestCertificate("a client").pkcs12(passphrase: "hush")
    #expect(read(bundle) == nil)
    for count in 0..<bundle.count {
      expectNamed(read(Array(bundle.prefix(count))), "\(count) of \(bundle.count)")
    }
  }

  @Test func aBundleThatIsDamaged() throws {
    let bundle = try TestCertificate("a client").pkcs12(passphrase: "hush")
    for index in bundle.indices {
      var changed = bundle
      changed[index] ^= 0x01
      if let failure = read(changed) { expectNamed(failure, "byte \(index)") }
    }
  }

  @Test func textThatIsCutOff() throws {
    let scratch = try Wscope.scratch("identity")
    let path = try TestCertificate("a client").file("\(scratch)/a.pem", withKey: true)
    let text = Array(try Wscope.shell("cat \(path)").outputText.utf8)
    #expect(read(text) == nil)
    for count in 0..<(text.count - 30) {
      expectNamed(read(Array(text.prefix(count))), "\(count)")
    }
  }

  @Test func whatABundleLooksLike() {
    for (bytes, content) in [
      ([], .pem), ([0x30], .der), ([0x30, 0x82], .der), ([0x30, 0xFF], .der), ([0x30, 0x80], .der),
      ([0x30, 0x82, 1, 0, 2, 1, 3], .pkcs12), ([0x30, 3, 2, 1, 3], .pkcs12),
      ([0x30, 0x82, 1, 0, 2, 1, 0], .der), ([0x30, 0x82, 1, 0, 0x30, 0x82], .der),
      (Array("-----BEGIN".utf8), .pem),
    ] as [([UInt8], ClientIdentity.Content)] {
      #expect(ClientIdentity.Content(bytes) == content, "\(bytes)")
    }
  }
}
