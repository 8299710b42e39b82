import Conversation

/// One row of the registry of modes.
package struct ModeEntry: Sendable {
  package var name: String
  /// The description for help, in one sentence.
  package var summary: String
  /// The values that may follow the name, as in `broadcast=all`.
  package var values: [Value] = []
  /// Whether clients receive the messages of `TestServer.publish`.
  package var isFed = false
  /// Whether lines of standard input are for clients that they name.
  package var isAnsweredByHand = false
  /// Whether messages are only counted, so that their rate is what a person wants to see.
  package var onlyCounts = false
  /// The channels that exist in this mode, test paths or not.
  package var channel: ModeChannel?
  /// Makes what the connections of the mode share, once a server; the value is one of `values`.
  var make: @Sendable (_ value: String?, BehaviourContext) -> any BehaviourMaker

  /// A value that a mode accepts.
  package struct Value: Sendable {
    package var name: String
    /// The description for help, in one sentence.
    package var summary: String
  }

  /// All spellings that select this mode, each with its summary.
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
  package static let all = [
    Echo.mode, Broadcast.mode, Chat.mode, Sink.mode, Source.mode, Manual.mode,
  ]

  /// All spellings that select a mode.
  package static var spellings: [String] { all.flatMap { $0.spellings.map(\.text) } }

  /// Finds a mode.
  ///
  /// - Parameter text: `NAME` or `NAME=VALUE`.
  /// - Returns: The mode, with its value.
  /// - Throws: `UnknownMode` with the nearest spelling, if `text` is not among `spellings`.
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
  /// The value after the name; nil without one.
  package var value: String?

  package static let echo = Mode(entry: Echo.mode)

  /// The spelling that selects it.
  package var text: String { value.map { "\(entry.name)=\($0)" } ?? entry.name }

  func makeBehaviours(_ context: BehaviourContext) -> any BehaviourMaker {
    entry.make(value, context)
  }
}

/// An unknown mode.
package struct UnknownMode: Error, CustomStringConvertible {
  package var text: String
  /// The most similar spelling; nil if none is similar enough.
  package var nearest: String?

  package var description: String {
    "unknown mode \"\(text)\"" + (nearest.map { "; did you mean \($0)?" } ?? "")
  }
}
