import WebSocketNIO

/// A chat: each path that is not a test path is one room.
enum Chat {
  static let mode = ModeEntry(
    name: "chat", summary: "Sends every message to the others in the room, with the sender's name.",
    channel: .rooms,
    make: { _, context in Maker(rooms: Rooms(channels: context.channels)) })

  /// The room of the paths that are not test paths.
  private static let room = "lobby"

  struct Maker: BehaviourMaker {
    var rooms: Rooms
    var options = MemberOptions(format: .text)

    func makeBehaviour(for client: ServedClient) -> any Behaviour {
      rooms.maker(of: Chat.room).joining(options).makeBehaviour(for: client)
    }

    func reading(_ arguments: PathArguments) throws(InvalidArgument) -> any BehaviourMaker {
      var maker = self
      maker.options = try arguments.memberOptions()
      return maker
    }
  }
}

/// The rooms of a server, each of which exists once it is named.
struct Rooms: Sendable {
  var channels: Channels

  func maker(of room: String) -> ChannelMember.Maker {
    ChannelMember.Maker(channels: channels, key: .room(room), role: .speaker)
  }
}
