package import NIOCore
package import WebSocketNIO
package import WebSocketProtocol

/// What a test server is to do.
package struct TestServerConfiguration: Sendable {
  package var mode = Mode.echo
  package var tls: ServerTLS?
  /// Whether HTTP/2 is spoken too (RFC 8441).
  package var http2 = false
  package var origins = OriginRules()
  /// What a person can do about a request that the origin rules refuse; nil adds nothing to the reply.
  package var originRemedy: @Sendable (OriginRules.Verdict) -> String? = { _ in nil }
  package var limits = Limits(messageSize: Limits.serverMessageSize)
  package var closeTimeout = TimeAmount.seconds(5)
  package var headTimeout = TimeAmount.seconds(10)
  package var headLimits = HeadLimits.standard
  /// Subprotocols the server speaks, in its order of preference.
  package var subprotocols: [String] = []
  /// The server's own limits on permessage-deflate; nil declines it.
  package var deflate: DeflateParameters? = DeflateParameters()
  /// Whether other processes may listen on the same port.
  package var reusesPort = false
  /// Clients at once; beyond it a request is answered with 503.
  package var maxClients = Int.max
  /// Upgrades that are accepted in all; later ones are rejected with 503.
  package var maxUpgrades = Int.max
  /// The credentials that requests must present; nil admits all.
  package var credentials: AccessCredentials?
  /// Whether a client that offers none of `subprotocols` is rejected with 400.
  package var requiresSubprotocol = false
  /// Bytes that may wait for one client of those that get what others send or the server publishes.
  package var queueLimit = 16 << 20
  /// What becomes of clients that are slower than what is published.
  package var slow = SlowPolicy.close
  /// Messages of its channel that a new client receives first; nil: 20 in a room, 1 in mode `source`, else
  /// none.
  package var keptMessages: Int?
  /// Time between two comments that keep an event stream alive.
  package var eventStreamPings = TimeAmount.seconds(15)
  /// Messages that are logged one by one, a second and event loop.
  package var loggedMessagesPerSecond = 50
  /// Whether a path that is not a test path is answered with 404 instead of by the mode.
  package var isStrictAboutPaths = false
  /// Faults of connections.
  package var faults = FaultPlan()
  /// Whether the URL of a client may ask for faults of its connection.
  package var allowsURLFaults = true
  /// Steps and rules of connections; nil if there are none. With it there are no test paths.
  package var scripting: Scripting?
  /// Whether the messages that scripts and rules send are reported.
  package var reportsReplies = false
  /// Whether oddities of the clients are counted, for `ServerEvent.linted`.
  package var lintsFrames = false

  package init() {}
}
