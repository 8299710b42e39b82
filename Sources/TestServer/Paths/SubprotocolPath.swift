/// `/subprotocol/NAME`: chooses a subprotocol.
enum SubprotocolPath {
  static let entry = TestPathEntry(
    pattern: "/subprotocol/{name}", aliases: ["/protocol/{name}"],
    summary: "Chooses this subprotocol, which the client must offer, and echoes."
  ) { arguments throws(InvalidArgument) in
    let name = arguments.text("name") ?? ""
    // Only upgrades get here: a plain GET is answered earlier.
    guard arguments.offered.contains(name) else {
      throw InvalidArgument("offer the subprotocol \(name)")
    }
    return .accept(PathConnection(behaviour: Echo.Maker(), subprotocol: name))
  }
}
