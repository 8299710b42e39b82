import ArgumentParser

/// Where a run of `bench` serves its figures.
struct MonitoringOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Serve the figures at /metrics of this address for Prometheus, during the run; without a host on loopback.",
      valueName: "host:port"))
  var prometheusAddr: PrometheusAddressOption?

  @Option(
    help: ArgumentHelp(
      "After the run, serve the figures until they have been read once more, at most for this long (default: 0s).",
      valueName: "duration"))
  var prometheusLinger: DurationOption?

  /// - Throws: `CommandFailure` for an option that has no effect.
  func configuration() throws -> (address: PrometheusEndpoint.Address, linger: Int64)? {
    guard let address = prometheusAddr?.address else {
      guard prometheusLinger == nil else {
        throw CommandFailure(.usage, "--prometheus-linger requires --prometheus-addr")
      }
      return nil
    }
    return (address, prometheusLinger?.nanoseconds ?? 0)
  }
}

/// `--prometheus-addr`: `:9100`, `9100`, `10.0.0.7:9100`, `[::]:9100`.
struct PrometheusAddressOption: ExpressibleByArgument, Reportable, Hashable, Sendable {
  let address: PrometheusEndpoint.Address
  let reported: String

  init?(argument: String) {
    var digits = Substring(argument)
    var host: Substring?
    if let colon = argument.lastIndex(of: ":") {
      host = argument[..<colon]
      digits = argument[argument.index(after: colon)...]
    }
    guard (1...5).contains(digits.utf8.count),
      digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let port = Int(digits), port <= 65_535
    else { return nil }
    var name = host ?? ""
    if name.hasPrefix("["), name.hasSuffix("]") {
      name = name.dropFirst().dropLast()
    } else {
      // An IPv6 address without brackets would lose its last group to the port.
      guard !name.contains(":") else { return nil }
    }
    guard name.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
    address = .init(host: name.isEmpty ? nil : String(name), port: port)
    reported = argument
  }
}
