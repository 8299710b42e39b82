import NIOCore

/// What the members of channels send in one turn of an event loop. It is ordered at the end of the turn:
/// under one lock for each channel, not one for each member. Used on its loop only.
final class ChannelTurn {
  private let loop: any EventLoop
  private var parts: [Part] = []

  /// What one read has brought.
  private struct Part {
    var member: ChannelMember
    var inputs: [Channels.Input]
    /// Payload in bytes.
    var bytes: Int
  }

  init(on loop: any EventLoop) { self.loop = loop }

  /// Adds what a member sends; the member hears of it by `performed`.
  ///
  /// - Parameters:
  ///   - inputs: In their order.
  ///   - bytes: Payload in bytes.
  ///   - member: The sender.
  func add(_ inputs: [Channels.Input], bytes: Int, from member: ChannelMember) {
    parts.append(Part(member: member, inputs: inputs, bytes: bytes))
    if parts.count == 1 { loop.assumeIsolated().execute { self.end() } }
  }

  /// Removes what a member has added, because it cannot wait for the end of the turn.
  func remove(_ member: ChannelMember) -> (inputs: [Channels.Input], bytes: Int) {
    var removed: (inputs: [Channels.Input], bytes: Int) = ([], 0)
    guard parts.contains(where: { $0.member === member }) else { return removed }
    for part in parts where part.member === member {
      removed.inputs += part.inputs
      removed.bytes += part.bytes
    }
    parts.removeAll { $0.member === member }
    return removed
  }

  private func end() {
    var taken: [Part] = []
    swap(&taken, &parts)
    for (key, parts) in Dictionary(grouping: taken, by: \.member.key) {
      guard let channels = parts.first?.member.channels else { continue }
      let performed = channels.perform(
        parts.map { Channels.Inputs(author: $0.member.client.number, inputs: $0.inputs) }, in: key)
      for (part, replies) in zip(parts, performed.replies) { part.member.receive(replies) }
      EventLoopFuture.andAllComplete(performed.sent, on: loop).assumeIsolated().whenComplete { _ in
        for part in parts { part.member.performed(bytes: part.bytes) }
      }
    }
  }
}
