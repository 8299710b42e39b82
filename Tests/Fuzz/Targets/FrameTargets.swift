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

    func run(_ pieces: [ArraySlice<UInt8>], _ echo: MachineRun.Echo = .byMessage) -> MachineRun {
      var machine = ConnectionMachine(role, limits: limits, deflate: deflate)
      if input.option(5) { try? machine.sendClose(CloseFrame(.normal, reason: "first")) }
      machine.isOutputBlocked = input.option(6)
      let heard = MachineRun(pieces, to: &machine, echo: input.option(4) ? echo : .no).heard
      machine.isOutputBlocked = false
      var run = MachineRun([], to: &machine)
      run.heard = heard
      return run
    }

    let whole = run(input.whole)
    if let complaint = difference(whole: whole, cut: run(input.pieces)) { return complaint }
    if input.option(4) {
      for pieces in [input.whole, input.pieces] {
        var short = run(pieces, .byRun)
        // Messages that are echoed in runs are not heard.
        guard short.heard.allSatisfy(whole.heard.contains) else { return "echoed in runs \(short)" }
        short.heard = whole.heard
        if short != whole { return "echoed in runs \(short), else \(whole)" }
      }
    }
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
