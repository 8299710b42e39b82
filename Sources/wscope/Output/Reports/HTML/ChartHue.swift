/// The colours of Okabe and Ito, which people with any colour vision can tell apart.
enum ChartHue: String {
  case blue
  case red
  case green
  case gold
  case purple

  /// On white; the style of the page has a lighter one for dark mode.
  var color: String {
    switch self {
    case .blue: "#0072b2"
    case .red: "#d55e00"
    case .green: "#009e73"
    case .gold: "#e69f00"
    case .purple: "#cc79a7"
    }
  }

  var strokeClass: String { rawValue }
  var fillClass: String { rawValue + "-fill" }

  /// A sample for a legend.
  ///
  /// - Parameter dashes: As in the chart.
  func sample(dashes: String? = nil) -> HTML {
    let pattern: HTML = dashes.map { " stroke-dasharray=\"\($0)\"" } ?? ""
    return """
      <svg aria-hidden="true" width="28" height="10"><line x1="0" x2="28" y1="5" y2="5" \
      stroke="\(color)" class="\(strokeClass)" stroke-width="3"\(pattern)/></svg>
      """
  }
}
