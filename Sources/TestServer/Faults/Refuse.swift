/// `refuse`: the upgrade is rejected.
enum Refuse {
  static let entry = FaultEntry(
    name: "refuse", kind: .handshake,
    summary: "Rejects the upgrade with this HTTP status; without one, closes without a reply.",
    example: "503", isValueOptional: true, canEnd: false
  ) { value throws(InvalidFaultValue) in
    guard !value.isEmpty else { return .refuse(nil) }
    guard let code = Int(value), (200...599).contains(code),
      let reply = try? StatusPath.reply(code, nil)
    else { throw InvalidFaultValue(expected: "a status from 200 to 599, as in 503") }
    return .refuse(reply)
  }
}
