package import NIOCore
package import WebSocketNIO
package import WebSocketProtocol

/// The settings of a test server.
package struct TestServerConfiguration: Sendable {
  /// What answers connections on paths that are not test paths.
  package var mode = Mode.echo
  /// The certificate and TLS settings; nil without TLS.
  package var tls: ServerTLS?
  /// Whether to support HTTP/2 too (RFC 8441).
  package var http2 = false
  /// The rules for the Host and Origin of requests.
  package var origins = OriginRules()
  /// Returns a remedy for a request that the origin rules reject, for the reply; nil for none.
  package var originRemedy: @Sendable (OriginRules.Verdict) -> String? = { _ in nil }
  /// Limits on the messages from clients.
  package var limits = Limits(messageSize: Limits.serverMessageSize)
  /// Bytes of the bodies of all requests together, unless a single message may be larger.
  package static let maxBodies = 64 << 20
  /// How long to wait for the Close frame of a client after sending one.
  package var closeTimeout = TimeAmount.seconds(5)
  /// How long a client may take to send a complete request head.
  package var headTimeout = TimeAmount.seconds(10)
  /// Limits on the size of a request head.
  package var headLimits = HeadLimits.standard
  /// Subprotocols that the server supports, in order of preference.
  package var subprotocols: [String] = []
  /// The server's own limits on permessage-deflate; nil declines it.
  package var deflate: DeflateParameters? = DeflateParameters()
  /// Whether other processes may listen on the same port.
  package var reusesPort = false
  /// Maximum number of clients at a time; further requests are answered with 503.
  package var maxClients = Int.max
  /// Maximum number of upgrades in total; further ones are rejected with 503.
  package var maxUpgrades = Int.max
  /// The credentials that the server accepts; nil if requests need none.
  package var credentials: AccessCredentials?
  /// Whether a client that offers none of `subprotocols` is rejected with 400.
  package var requiresSubprotocol = false
  /// Maximum number of bytes queued for one client that receives broadcast or published messages.
  package var queueLimit = 16 << 20
  /// What happens to clients that read published messages too slowly.
  package var slow = SlowPolicy.close
  /// Messages of its channel that a new client receives first; nil: 20 in a room, 1 in mode `source`, else
  /// none.
  package var keptMessages: Int?
  /// Time between two comments that keep an event stream alive.
  package var eventStreamPings = TimeAmount.seconds(15)
  /// Which messages are reported.
  package var capture = Capture()
  /// Whether a path that is not a test path is answered with 404 instead of by the mode.
  package var isStrictAboutPaths = false
  /// Whether there are the paths under `/t/`, which compare transports.
  package var hasTransports = false
  /// Faults of connections.
  package var faults = FaultPlan()
  /// Whether the URL of a client may request faults for its connection.
  package var allowsURLFaults = true
  /// Scripts and rules for connections; nil if there are none. They replace the test paths.
  package var scripting: Scripting?
  /// The program that answers connections; nil if there is none. It replaces the mode and the test paths.
  package var program: ServedProgram?
  /// The requests that control the server while it runs; nil without them. All connections then take the general path.
  package var control: ControlConfiguration?
  /// Whether to count oddities in the frames of clients, for `ServerEvent.linted`.
  package var lintsFrames = false

  /// The version of the program, for the metrics.
  package var version = ""
  /// What answers connections, for the metrics; nil for the mode.
  package var behaviour: String?

  package init() {}
}
