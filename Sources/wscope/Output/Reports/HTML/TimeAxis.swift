/// What charts over time have in common: the marks below them, and the warm-up in front.
struct TimeAxis {
  let columns: TimeColumns

  /// Marks and labels under a chart.
  ///
  /// - Parameter y: The bottom of the plot, in pixels.
  func marks(below y: Double) -> HTML {
    let ticks = ChartScale.times(from: columns.start, to: columns.end)
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
      \(labels)
      """
  }

  /// The shade over the warm-up, whose messages are in no figure of the run.
  func warmUp(from top: Double, height: Double, labelled: Bool) -> HTML {
    guard let share = columns.warmUp else { return "" }
    let label: HTML =
      labelled
      ? """
      <text x="4" y="\(top + 14)" font-style="italic" class="halo" stroke="Canvas" \
      stroke-width="3" paint-order="stroke">warm-up</text>

      """ : ""
    return """
      <rect x="0" y="\(top)" width="\(share * 100)%" height="\(height)" fill="currentColor" \
      fill-opacity=".07"/>
      <line x1="\(share * 100)%" x2="\(share * 100)%" y1="\(top)" y2="\(top + height)" \
      stroke="currentColor" stroke-opacity=".45" stroke-dasharray="2 3"/>
      \(label)
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
