import WebSocketNIO

/// What the options of a client have found around them, once a run.
struct ClientReading: Sendable {
  let environment: [String: String]
  var credentials = Credentials()
  /// The request that was read from a file.
  var rawRequest: RawRequest?
  /// What is trusted, and the certificate to show.
  var tls = ClientTLS()

  /// Nothing is read yet, and nobody was asked: enough to see what is wrong with the options.
  init(_ context: CommandContext) {
    environment = context.environment
  }
}
