import WebSocketProtocol

/// Frames of a peer, as they come from the wire.
enum FrameTargets {
  /// Options: 0 permessage-deflate is agreed on, 1 and 2 one side forgets its window, 3 tight limits,
  /// 4 messages are echoed, 5 our Close goes out first, 6 the transport takes nothing.
  static func frames(_ bytes: UnsafeRawBufferPointer, to role: Role) -> String? {
    let input = FuzzInput(bytes)
    let deflate =
      input.option(0)
      ? AgreedDeflate(serverForgets: input.option(1), clientForgets: input.option(2)) : nil
    let limits =
      input.option(3)
      ? Limits(messageSize: 40, fragments: 3) : Limits(messageSize: 1 << 16, fragments: 64)

    func run(_ pieces: [ArraySlice<UInt8>]) -> MachineRun {
      var machine = ConnectionMachine(role, limits: limits, deflate: deflate)
      if input.option(5) { try? machine.sendClose(CloseFrame(.normal, reason: "first")) }
      machine.isOutputBlocked = input.option(6)
      _ = MachineRun(pieces, to: &machine, echoes: input.option(4))
      machine.isOutputBlocked = false
      return MachineRun([], to: &machine)
    }

    let whole = run(input.whole)
    if let complaint = difference(whole: whole, cut: run(input.pieces)) { return complaint }
    if whole.bytesAccountedFor != UInt64(input.data.count) {
      return "\(whole.bytesAccountedFor) of \(input.data.count) bytes accounted for"
    }
    if whole.traffic.wireOut != UInt64(whole.said.count) {
      return "said \(whole.said.count) bytes, counted \(whole.traffic.wireOut)"
    }
    return misunderstanding(of: whole.said, by: role.other, deflate)
  }

  /// What we say must be right for the peer, whatever it has said to us.
  private static func misunderstanding(
    of said: [UInt8], by peer: Role, _ deflate: AgreedDeflate?
  ) -> String? {
    var machine = ConnectionMachine(
      peer, limits: Limits(messageSize: 1 << 20), deflate: deflate)
    let heard = MachineRun([said[...]], to: &machine).heard
    for step in heard {
      if case .violation(let violation) = step { return "we said \(said): \(violation)" }
    }
    return nil
  }
}
