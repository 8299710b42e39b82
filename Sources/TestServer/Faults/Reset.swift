/// `rst`: the connection ends with a TCP reset.
enum Reset {
  static let entry = FaultEntry(
    name: "rst", kind: .transport, summary: "Ends the connection with a TCP reset (RST).",
    example: nil, canEnd: false
  ) { _ throws(InvalidFaultValue) in
    .transport { $0.reset() }
  }
}
