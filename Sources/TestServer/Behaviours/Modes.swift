import Conversation

/// One row of the registry of modes.
package struct ModeEntry: Sendable {
  package var name: String
  /// A sentence.
  package var summary: String
  /// What may follow the name, as in `broadcast=all`.
  package var values: [Value] = []
  /// Whether the clients get what `TestServer.publish` is given.
  package var isFed = false
  /// The channels that exist in this mode, test paths or not.
  package var channel: ModeChannel?
  /// Makes what the connections of the mode share, once a server; the value is one of `values`.
  var make: @Sendable (_ value: String?, BehaviourContext) -> any BehaviourMaker

  package struct Value: Sendable {
    package var name: String
    /// A sentence.
    package var summary: String
  }

  /// All that can be typed to choose this mode, each with its sentence.
  package var spellings: [(text: String, summary: String)] {
    [(name, summary)] + values.map { ("\(name)=\($0.name)", $0.summary) }
  }
}

/// The channels of a mode.
package enum ModeChannel: Sendable {
  /// `/broadcast`.
  case broadcast
  /// `/room/NAME`.
  case rooms
}

/// The modes of a server: what answers a connection on a path that is not a test path.
package enum Modes {
  package static let all = [Echo.mode, Broadcast.mode, Chat.mode, Sink.mode, Source.mode]

  /// All that can be typed to choose a mode.
  package static var spellings: [String] { all.flatMap { $0.spellings.map(\.text) } }

  /// Finds a mode.
  ///
  /// - Parameter text: `NAME` or `NAME=VALUE`.
  /// - Returns: The mode, with its value.
  /// - Throws: for a text that is not among `spellings`, with the nearest one.
  package static func parse(_ text: String) throws(UnknownMode) -> Mode {
    for entry in all {
      if text == entry.name { return Mode(entry: entry) }
      for value in entry.values where text == "\(entry.name)=\(value.name)" {
        return Mode(entry: entry, value: value.name)
      }
    }
    throw UnknownMode(text: text, nearest: Nearest.word(to: text, among: spellings))
  }
}

/// A chosen mode.
package struct Mode: Sendable {
  package var entry: ModeEntry
  package var value: String?

  package static let echo = Mode(entry: Echo.mode)

  /// As it is typed.
  package var text: String { value.map { "\(entry.name)=\($0)" } ?? entry.name }

  func makeBehaviours(_ context: BehaviourContext) -> any BehaviourMaker {
    entry.make(value, context)
  }
}

/// An unknown mode.
package struct UnknownMode: Error, CustomStringConvertible {
  package var text: String
  package var nearest: String?

  package var description: String {
    "unknown mode \"\(text)\"" + (nearest.map { "; did you mean \($0)?" } ?? "")
  }
}
