/// `/fragment/N`: echoes every message in fragments.
enum FragmentPath {
  static let entry = TestPathEntry(
    pattern: "/fragment/{n}",
    summary: "Sends every message back in fragments of at most n bytes, without compression."
  ) { arguments throws(InvalidArgument) in
    let size = try arguments.number("n", in: 1...1_000_000) ?? 1
    return .accept(
      PathConnection(
        behaviour: Echo.Maker(), allowsDeflate: false,
        faults: [.silent(.message(Fragment.action(size)))]))
  }
}
