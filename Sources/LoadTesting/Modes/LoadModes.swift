/// A mode of a load test, as plans, options and reports refer to it.
package struct LoadModeEntry: Sendable, Hashable {
  let mode: any LoadMode.Type

  /// The name that selects the mode.
  package var name: String { mode.name }
  /// The description for help, in one sentence.
  package var summary: String { mode.summary }
  /// The metrics in a report, in order.
  package var metrics: [Metric] { mode.metrics }
  /// The main metric of the mode.
  package var headline: Metric { mode.headline }

  package static func == (one: Self, other: Self) -> Bool { one.name == other.name }
  package func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// All modes. Options, help, completion, reports and tests read this list.
package enum LoadModes {
  /// The server answers every message with the same content.
  package static let echo = LoadModeEntry(mode: EchoLoad.self)

  package static let all = [echo]

  /// The mode with this name; nil for an unknown name.
  package static func named(_ name: String) -> LoadModeEntry? { all.first { $0.name == name } }
}
