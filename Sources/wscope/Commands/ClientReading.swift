import WebSocketNIO

/// Input of a client that is read once per run, in addition to the command line.
struct ClientReading: Sendable {
  let environment: [String: String]
  var credentials = Credentials()
  /// The request read from a file.
  var rawRequest: RawRequest?
  /// The trusted certificates, and the client certificate.
  var tls = ClientTLS()

  /// Before anything is read or the user is prompted; enough to check the options.
  init(_ context: CommandContext) {
    environment = context.environment
  }
}
