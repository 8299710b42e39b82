/// One mode of a load test, as plans, options and reports name it.
package struct LoadModeEntry: Sendable, Hashable {
  let mode: any LoadMode.Type

  /// The name by which the mode is chosen.
  package var name: String { mode.name }
  /// What it does, in one sentence.
  package var summary: String { mode.summary }
  /// Rows of the report, in order.
  package var metrics: [Metric] { mode.metrics }
  /// The metric that the mode is chosen for.
  package var headline: Metric { mode.headline }

  package static func == (one: Self, other: Self) -> Bool { one.name == other.name }
  package func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// The modes that exist. Options, help, completion, reports and tests read this list.
package enum LoadModes {
  /// Every message is answered by one of the same content.
  package static let echo = LoadModeEntry(mode: EchoLoad.self)

  package static let all = [echo]

  /// The mode of that name.
  ///
  /// - Parameter name: As it was typed or stored.
  /// - Returns: nil when no mode has it.
  package static func named(_ name: String) -> LoadModeEntry? { all.first { $0.name == name } }
}
