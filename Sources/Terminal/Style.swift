/// The value of `--color`.
package enum ColorChoice: String, CaseIterable, Sendable {
  /// Colour if the stream is a terminal that supports it and the environment does not forbid it.
  case auto
  /// Always colour.
  case always
  /// Never colour.
  case never

  /// Whether a stream gets colour.
  ///
  /// `always` and `never` are final. For `auto`, in this order: `NO_COLOR` (not empty) forbids it,
  /// `CLICOLOR_FORCE` (not empty, not `0`) requires it, and otherwise the stream must be a terminal
  /// whose `TERM` is set and not `dumb`.
  package func allowsColor(environment: [String: String], isTerminal: Bool) -> Bool {
    switch self {
    case .always: return true
    case .never: return false
    case .auto: break
    }
    if let wish = environment["NO_COLOR"], !wish.isEmpty { return false }
    if let wish = environment["CLICOLOR_FORCE"], !wish.isEmpty, wish != "0" { return true }
    guard isTerminal, let kind = environment["TERM"] else { return false }
    return !kind.isEmpty && kind != "dumb"
  }
}

/// The style of our own text on one stream: `style(.dim, "12 ms")` is plain text if colour is off.
package struct Style: Equatable, Sendable {
  /// The styles that the product uses.
  package enum Ink: String, CaseIterable, Sendable {
    case bold = "1"
    case dim = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case cyan = "36"
  }

  /// Whether escapes are written at all. Also the right value for the `highlight` of
  /// `ControlCharacters`.
  package let isOn: Bool

  /// A style that is on or off, regardless of the environment.
  package init(isOn: Bool) { self.isOn = isOn }

  /// The style of a stream, from `--color` and the environment.
  package init(_ choice: ColorChoice, environment: [String: String], isTerminal: Bool) {
    isOn = choice.allowsColor(environment: environment, isTerminal: isTerminal)
  }

  /// `text` in `ink`, for output. An empty text stays empty.
  package func callAsFunction(_ ink: Ink, _ text: String) -> String {
    guard isOn, !text.isEmpty else { return text }
    return "\u{1b}[\(ink.rawValue)m\(text)\u{1b}[0m"
  }

  /// `text` in `ink`, for the prompt of a `LineEditor`: the escapes are bracketed, so that the
  /// editor does not count them as columns.
  package func inPrompt(_ ink: Ink, _ text: String) -> String {
    guard isOn, !text.isEmpty else { return text }
    return "\u{1}\u{1b}[\(ink.rawValue)m\u{2}\(text)\u{1}\u{1b}[0m\u{2}"
  }
}
