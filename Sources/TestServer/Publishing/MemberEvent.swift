import Conversation
import NIOCore
import WebSocketProtocol

/// The name of a channel: something that clients join, and that messages are published to.
enum ChannelKey: Hashable, Sendable {
  /// The channel of the modes `broadcast` and `source`, and of `/broadcast`.
  case broadcast
  case room(String)
  /// The updates under `/t/`.
  case updates(String)
}

/// The form in which a member of a room receives its events.
enum ChannelFormat: String, Sendable, CaseIterable {
  /// `ann: hello`
  case text
  /// `{"event":"message","name":"ann","here":2,"text":"hello"}`
  case json
  /// The messages themselves, and nothing else.
  case raw

  /// The position among all cases.
  var index: Int {
    switch self {
    case .text: 0
    case .json: 1
    case .raw: 2
    }
  }
}

/// Something that happened in a channel.
struct MemberEvent: Sendable {
  enum Content: Sendable {
    /// `name` is the author; nil if the message was published without a name.
    case message(PublishedMessage, name: String?)
    case joined(String)
    case left(String)
    case renamed(String, to: String)
  }

  /// The position among all events of the channel.
  var serial: UInt64
  /// The position among the messages of the channel, from 1; nil for other events.
  var number: UInt64?
  /// The number of members after the event.
  var here: Int
  var content: Content

  /// What a member receives.
  ///
  /// - Returns: nil if the event is not for members with this format.
  func rendered(as format: ChannelFormat) -> PublishedMessage? {
    switch (content, format) {
    case (.message(let message, let name), .text):
      guard message.kind == .text, let name else { return message }
      var payload = ByteBuffer(string: "\(name): ")
      payload.writeImmutableBuffer(message.payload)
      return PublishedMessage(.text, payload)
    case (.message(let message, _), .raw): return message
    case (_, .raw): return nil
    case (.joined(let name), .text): return line("\(name) joined (\(here) here)")
    case (.left(let name), .text): return line("\(name) left (\(here) here)")
    case (.renamed(let name, let new), .text): return line("\(name) is now \(new)")
    case (_, .json):
      var json = JSONWriter()
      json.object { write(to: &$0) }
      return PublishedMessage(.text, json.bytes)
    }
  }

  private func line(_ text: String) -> PublishedMessage {
    PublishedMessage(.text, Array("* \(text)".utf8))
  }

  private func write(to json: inout JSONWriter) {
    switch content {
    case .message(let message, let name):
      json.member("event", "message")
      if let name { json.member("name", name) }
      json.member("here", here)
      message.payload.withUnsafeReadableBytes { bytes in
        switch message.kind {
        case .text: json.member("text", String(decoding: bytes, as: UTF8.self))
        case .binary: json.member("base64", Base64.encode(bytes))
        }
      }
    case .joined(let name):
      json.member("event", "join")
      json.member("name", name)
      json.member("here", here)
    case .left(let name):
      json.member("event", "leave")
      json.member("name", name)
      json.member("here", here)
    case .renamed(let name, let new):
      json.member("event", "nick")
      json.member("name", new)
      json.member("from", name)
      json.member("here", here)
    }
  }
}
