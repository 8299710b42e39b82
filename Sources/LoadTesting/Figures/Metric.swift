/// The durations that a load test measures, in the order of reports.
///
/// A metric has the same name everywhere: in the text report, in JSON and in thresholds.
package enum Metric: Int, CaseIterable, Sendable {
  case connect
  case dns
  case tcp
  case tls
  case upgrade
  case roundTrip
  case service
  case late
  case close

  /// The name, such as `rtt_service`.
  package var key: String {
    switch self {
    case .connect: "connect"
    case .dns: "dns"
    case .tcp: "tcp"
    case .tls: "tls"
    case .upgrade: "upgrade"
    case .roundTrip: "rtt"
    case .service: "rtt_service"
    case .late: "late"
    case .close: "close"
    }
  }

  /// A short description for a legend.
  package var label: String {
    switch self {
    case .connect: "from intended connect"
    case .dns: "look-up of the host name"
    case .tcp: "TCP handshake"
    case .tls: "TLS handshake"
    case .upgrade: "HTTP upgrade"
    case .roundTrip: "from intended send"
    case .service: "from actual send"
    case .late: "generator delay"
    case .close: "closing handshake"
    }
  }

  /// Its definition in one sentence.
  package var summary: String {
    switch self {
    case .connect: "Time from the intended connect to the checked 101 response, successes only."
    case .dns: "Time to look up the host name, once for the run."
    case .tcp: "Time from the start of the TCP handshake to the established connection."
    case .tls: "Time of the TLS handshake."
    case .upgrade: "Time from the upgrade request to the checked 101 response."
    case .roundTrip: "Time from the intended send of a message to the read of its answer."
    case .service: "Time from the actual send of a message to the read of its answer."
    case .late: "Time from the intended to the actual send, the delay of the generator."
    case .close: "Time from our close frame to the end of the connection."
    }
  }

  /// The unit of its values: all are durations in whole nanoseconds.
  package var unit: String { "ns" }

  /// The metric with this `key`; nil for an unknown name.
  package init?(key: some StringProtocol) {
    guard let metric = Self.allCases.first(where: { $0.key == key }) else { return nil }
    self = metric
  }
}
