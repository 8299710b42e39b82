import Conversation
import WebSocketProtocol

/// A text that a member of a room sends.
enum ChatInput: Hashable, Sendable {
  /// To be sent to the room.
  case text(String)
  case rename(String)
  case who
  /// Not a command, or not a valid one; the sentence goes to the sender.
  case invalid(String)

  /// - Parameter text: A slash begins a command, two begin a text with a slash.
  init(_ text: String) {
    guard text.hasPrefix("/") else {
      self = .text(text)
      return
    }
    guard !text.hasPrefix("//") else {
      self = .text(String(text.dropFirst()))
      return
    }
    let parts = text.split(separator: " ", maxSplits: 1)
    let argument = parts.count > 1 ? String(parts[1]) : ""
    switch parts.first ?? "" {
    case "/nick":
      self =
        PrintableName.isValid(argument)
        ? .rename(argument) : .invalid("/nick: \(PrintableName.rule())")
    case "/who": self = .who
    case let word: self = .invalid("unknown command \(word): /nick NAME, /who")
    }
  }
}

/// An answer to a command, for the sender only.
enum ChatReply: Hashable, Sendable {
  case names([String])
  case problem(String)

  func rendered(as format: ChannelFormat) -> PublishedMessage {
    var json = JSONWriter()
    switch (self, format) {
    case (.names(let names), .json):
      json.object { json in
        json.member("event", "who")
        json.member("here", names.count)
        json.member("names", array: names) { $0.string($1) }
      }
    case (.problem(let text), .json):
      json.object { json in
        json.member("event", "error")
        json.member("text", text)
      }
    case (.names(let names), _):
      return Self.line("\(names.count) here: \(names.joined(separator: ", "))")
    case (.problem(let text), _): return Self.line(text)
    }
    return PublishedMessage(.text, json.bytes)
  }

  private static func line(_ text: String) -> PublishedMessage {
    PublishedMessage(.text, Array("* \(text)".utf8))
  }
}
