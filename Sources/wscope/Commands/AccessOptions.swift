import ArgumentParser
import TestServer
import WebSocketNIO

/// Who can connect to `listen`.
struct AccessOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Require Basic authentication with these credentials, as user:password, of upgrades and pages; @FILE and \
      env:NAME read them from there. By default no credentials are required.
      """, valueName: "user:password"))
  var basicAuth: Secret?

  @Option(
    help: ArgumentHelp(
      """
      Require this bearer token, in the Authorization field or as the parameter access_token of the URL; @FILE and \
      env:NAME read it from there. With --basic-auth, either admits.
      """, valueName: "token"))
  var bearer: Secret?

  @Option(
    help: ArgumentHelp(
      """
      Require a certificate of every client, signed by one of the authorities in this file (PEM). Its chain, dates and \
      purpose are checked. With --tls or --cert.
      """, valueName: "file"),
    completion: .file())
  var clientCa: String?

  @Flag(help: "Reject clients that offer none of the subprotocols of --subprotocol with 400.")
  var requireSubprotocol = false

  /// Makes a server require certificates, if that is wanted.
  ///
  /// - Throws: `CommandFailure` without TLS; `TLSFailure` for a file that cannot be read.
  func requireClientCertificates(of server: inout ServerTLS?) throws {
    guard let clientCa else { return }
    guard server != nil else {
      throw CommandFailure(.usage, "--client-ca requires --tls or --cert")
    }
    try server?.requireClientCertificates(authorities: clientCa)
  }

  /// - Returns: nil if no credentials are required.
  /// - Throws: `CommandFailure` for credentials that cannot be read, or are not credentials.
  func credentials(_ environment: [String: String]) throws -> AccessCredentials? {
    guard basicAuth != nil || bearer != nil else { return nil }
    let basic = try basicAuth?.read(of: "--basic-auth", environment)
    let token = try bearer?.read(of: "--bearer", environment)
    if let basic, !basic.contains(":") {
      throw CommandFailure(.usage, "--basic-auth requires USER:PASSWORD")
    }
    if let token, token.isEmpty || token.contains(" ") {
      throw CommandFailure(.usage, "--bearer requires a token without spaces")
    }
    return AccessCredentials(basic: basic, bearer: token)
  }
}
