import NIOCore
import TestPeers
import Testing
import WebSocketProtocol

@testable import WebSocketNIO

/// Which addresses are tried, and in which order.
@Suite(.blocking) struct AddressRuleTests {
  private static func addresses(_ list: String) throws -> [SocketAddress] {
    try list.split(separator: " ").map { try SocketAddress(ipAddress: String($0), port: 80) }
  }

  @Test(arguments: [
    ("", ""), ("::1", "::1"), ("::1 ::2 ::3 1.1.1.1", "::1 1.1.1.1 ::2 ::3"),
    ("1.1.1.1 2.2.2.2 ::1 ::2", "1.1.1.1 ::1 2.2.2.2 ::2"),
    ("1.1.1.1 2.2.2.2", "1.1.1.1 2.2.2.2"),
    ("::1 1.1.1.1 2.2.2.2 3.3.3.3", "::1 1.1.1.1 2.2.2.2 3.3.3.3"),
  ])
  func familiesTakeTurns(_ given: String, _ wanted: String) throws {
    #expect(try Self.addresses(given).interleaved == Self.addresses(wanted))
  }

  @Test func ofTheFamilyThatIsWanted() throws {
    let rules = AddressRules(
      family: .v6,
      overrides: [NameOverride(host: "a", port: 80, addresses: ["127.0.0.1", "::1"])])
    #expect(try Resolver.known(.host("A", port: 80), rules) == Self.addresses("::1"))
    #expect(throws: ConnectError.self) {
      try Resolver.known(.host("127.0.0.1", port: 80), rules)
    }
    #expect(try Resolver.known(.host("b", port: 80), rules) == nil)
  }

  @Test func aNameOfItsOwnGoesFirst() throws {
    let rules = AddressRules(overrides: [
      NameOverride(host: nil, port: 80, addresses: ["127.0.0.2"]),
      NameOverride(host: "a", port: 80, addresses: ["127.0.0.1"]),
    ])
    #expect(try Resolver.known(.host("a", port: 80), rules) == Self.addresses("127.0.0.1"))
    #expect(try Resolver.known(.host("b", port: 80), rules) == Self.addresses("127.0.0.2"))
    #expect(try Resolver.known(.host("a", port: 81), rules) == nil)
  }
}
