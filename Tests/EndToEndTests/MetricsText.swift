import TestPeers

/// The metrics of a server, read by a strict parser of the text format 0.0.4 of Prometheus.
struct MetricsText {
  private(set) var head: String
  /// The families in their order, with their types.
  private(set) var families: [(name: String, type: String)] = []
  /// Each series with its value, in their order.
  private(set) var series: [(name: String, value: Double)] = []

  /// Scrapes a server.
  ///
  /// - Parameters:
  ///   - port: The port of the server.
  ///   - fields: Lines of the request besides those that it needs.
  /// - Throws: `TestPeerError` if the server does not answer, or not in the format.
  init(port: Int, fields: [String] = []) throws {
    let client = try RawClient(port: port)
    let lines =
      ["GET /metrics HTTP/1.1", "Host: localhost:\(port)", "Connection: close"] + fields + ["", ""]
    client.send(lines.joined(separator: "\r\n"))
    head = client.readHead()
    let body = String(decoding: client.readToEnd(), as: UTF8.self)
    guard head.hasPrefix("HTTP/1.1 200 ") else { return }
    try parse(body)
  }

  /// Reads the text of a file or of standard output.
  ///
  /// - Throws: `TestPeerError` for a text that is not in the format.
  init(text: String) throws {
    head = ""
    try parse(text)
  }

  func value(_ name: String) -> Double? { series.first { $0.name == name }?.value }

  private mutating func parse(_ body: String) throws {
    guard body.hasSuffix("\n") else { throw TestPeerError("the last line does not end") }
    for line in body.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      try parse(line: String(line))
    }
    for family in families where family.type == "histogram" { try checkHistogram(family.name) }
  }

  private var announced = ""

  private mutating func parse(line: String) throws {
    let wrong = TestPeerError("metrics: \(line)")
    if line.hasPrefix("# HELP ") {
      let words = line.split(separator: " ", maxSplits: 3)
      guard words.count == 4, words[3].hasSuffix("."),
        !families.contains(where: { $0.name == words[2] })
      else { throw wrong }
      announced = String(words[2])
      return
    }
    if line.hasPrefix("# TYPE ") {
      let words = line.split(separator: " ").map(String.init)
      guard words.count == 4, words[2] == announced,
        ["counter", "gauge", "histogram"].contains(words[3]),
        (words[3] == "counter") == words[2].hasSuffix("_total")
      else { throw wrong }
      families.append((words[2], words[3]))
      return
    }
    let sample =
      #/(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?<labels>\{([a-z]+="(\\[\\"n]|[^"\\])*")(,[a-z]+="(\\[\\"n]|[^"\\])*")*\})? (?<value>[-+.0-9e]+)/#
    guard let match = try sample.wholeMatch(in: line), let value = Double(match.value),
      let family = families.last
    else { throw wrong }
    let suffixes = family.type == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
    let name = String(match.name) + (match.labels.map(String.init) ?? "")
    guard suffixes.contains(where: { family.name + $0 == match.name }), value >= 0,
      self.value(name) == nil
    else { throw wrong }
    series.append((name, value))
  }

  /// The buckets of each set of other labels are cumulative, and end with the count.
  private func checkHistogram(_ name: String) throws {
    var groups: [String: [Double]] = [:]
    for (series, value) in series where series.hasPrefix(name + "_bucket{") {
      let labels = series.dropFirst(name.count + "_bucket{".count)
      guard let le = labels.firstRange(of: "le=") else { throw TestPeerError(series) }
      groups[String(labels[..<le.lowerBound]), default: []].append(value)
    }
    for (labels, buckets) in groups {
      let others = labels.isEmpty ? "" : "{\(labels.dropLast())}"
      guard buckets.count > 1, buckets == buckets.sorted(), value(name + "_sum" + others) != nil,
        value(name + "_bucket{\(labels)le=\"+Inf\"}") == buckets.last,
        value(name + "_count" + others) == buckets.last
      else { throw TestPeerError("histogram \(name): \(buckets)") }
    }
    guard !groups.isEmpty else { throw TestPeerError("histogram \(name) is empty") }
  }
}
