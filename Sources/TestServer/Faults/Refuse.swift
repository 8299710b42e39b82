/// `refuse`: the upgrade is rejected.
enum Refuse {
  static let entry = FaultEntry(
    name: "refuse", kind: .handshake, summary: "Rejects the upgrade with this HTTP status.",
    example: "503", canEnd: false
  ) { value throws(InvalidFaultValue) in
    guard let code = Int(value), (200...599).contains(code),
      let reply = try? StatusPath.reply(code, nil)
    else { throw InvalidFaultValue(expected: "a status from 200 to 599, as in 503") }
    return .refuse(reply)
  }
}
