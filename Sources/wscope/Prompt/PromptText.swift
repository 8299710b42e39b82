import Terminal

/// What stands before the line that is typed: what the person must not forget, and `> `.
struct PromptText: Equatable {
  var isCollecting = false
  var isConnected = true
  /// Messages that are held back; nil if not paused.
  var held: Int?
  /// Messages that the filter has hidden; nil without a filter.
  var hidden: Int?
  /// What goes on in the background, such as `43 %`.
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
