import Terminal

/// The text before the typed line: notes about the state of the session, and `> `.
struct PromptText: Equatable {
  var isCollecting = false
  var isConnected = true
  /// The number of messages held back; nil if not paused.
  var held: Int?
  /// The number of messages that the filter has hidden; nil without a filter.
  var hidden: Int?
  /// The progress of background work, such as `43 %`.
  var progress: String?

  func text(_ style: Style) -> String {
    var notes: [String] = []
    if !isConnected { notes.append("not connected") }
    if let progress { notes.append(progress) }
    if let held { notes.append("paused, \(Figures.count(held)) held") }
    if let hidden { notes.append("\(Figures.count(hidden)) hidden") }
    let lead =
      notes.isEmpty ? "" : style.inPrompt(.yellow, "[\(notes.joined(separator: "; "))]") + " "
    return lead + style.inPrompt(.green, isCollecting ? "|" : ">") + " "
  }
}
