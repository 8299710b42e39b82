/// What charts over time have in common: the marks below them, and the warm-up in front.
struct TimeAxis {
  let columns: TimeColumns

  /// Marks and labels under a plot whose bottom is at `y` pixels.
  func marks(below y: Double) -> HTML {
    let share = columns.warmUp ?? 0
    // The warm-up has a name in place of marks.
    let ticks = ChartScale.times(from: columns.start, to: columns.end)
      .filter { $0.position >= share }
    let warmUp: HTML =
      share > 0.03 ? "<text x=\"0\" y=\"\(y + 17)\" font-style=\"italic\">warm-up</text>\n" : ""
    let labels = ticks.map { tick -> HTML in
      let anchor = tick.position < 0.03 ? "start" : tick.position > 0.97 ? "end" : "middle"
      return """
        <line x1="\(tick.position * 100)%" x2="\(tick.position * 100)%" y1="\(y)" y2="\(y + 4)" \
        stroke="currentColor"/><text x="\(tick.position * 100)%" y="\(y + 17)" \
        text-anchor="\(anchor)">\(tick.label)</text>

        """
    }
    return """
      <line x1="0" x2="100%" y1="\(y)" y2="\(y)" stroke="currentColor" stroke-opacity=".5"/>
      \(labels)\(warmUp)
      """
  }

  /// The shade over the warm-up, whose messages are in no figure of the run.
  func warmUp(from top: Double, height: Double) -> HTML {
    guard let share = columns.warmUp else { return "" }
    return """
      <rect x="0" y="\(top)" width="\(share * 100)%" height="\(height)" fill="currentColor" \
      fill-opacity=".07"/>
      <line x1="\(share * 100)%" x2="\(share * 100)%" y1="\(top)" y2="\(top + height)" \
      stroke="currentColor" stroke-opacity=".45" stroke-dasharray="2 3"/>

      """
  }

  /// For the script, which shows the interval under the pointer.
  var data: HTML {
    " class=\"time\" data-from=\"\(Int(columns.start))\" data-to=\"\(Int(columns.end))\""
  }
}

/// A label in a plot, legible on whatever is below it.
enum ChartLabel {
  static func html(_ text: String, x: Double, y: Double, anchor: String = "start") -> HTML {
    """
    <text x="\(x)%" y="\(y)" text-anchor="\(anchor)" class="halo" stroke="Canvas" \
    stroke-width="3" paint-order="stroke">\(text)</text>

    """
  }
}
