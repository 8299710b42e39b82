import ArgumentParser
import WebSocketNIO
import WebSocketProtocol

/// The proxy, from the options and the environment variables that curl supports.
struct ProxyOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Connect through this proxy, as in http://user:password@host:port; the scheme is http, https, \
      socks5 or socks5h (the proxy resolves the name). By default http_proxy, https_proxy, all_proxy \
      and no_proxy apply.
      """, valueName: "url"))
  var proxy: URLText?

  @Option(
    help: ArgumentHelp(
      """
      Credentials for the proxy, as user:password; @FILE and env:NAME read them from there.
      """,
      valueName: "user:password"))
  var proxyUser: Secret?

  @Option(
    help: ArgumentHelp(
      """
      Trust only the certificates in this PEM file for an https proxy; by default those of the \
      system.
      """, valueName: "file"),
    completion: .file())
  var proxyCacert: PublicText?

  @Option(
    help: ArgumentHelp(
      """
      Connect to these hosts directly: a comma-separated list as in no_proxy; * matches every host.
      """,
      valueName: "list"))
  var noproxy: PublicText?

  /// Validates the options and applies them.
  ///
  /// - Throws: `CommandFailure`; `TLSFailure` for an invalid file of certificates.
  func apply(to configuration: inout ClientConfiguration, environment: [String: String]) throws {
    if proxy?.text.isEmpty == false, case .unixSocket = configuration.endpoint {
      throw CommandFailure(.usage, "--proxy and a unix socket cannot be used together")
    }
    let choice = ProxyChoice(
      option: proxy?.text, exceptions: noproxy?.text, environment: environment)
    // Chosen by the name in the URL, as in curl, even if another endpoint replaces it.
    let named =
      configuration.socketPath == nil ? configuration.url.endpoint : configuration.endpoint
    (configuration.proxy, configuration.proxyTLS) = (nil, nil)
    guard let wish = choice.wish(for: named, configuration.url.security) else { return }
    var server: ProxyServer
    do throws(ProxyURLError) {
      server = try ProxyServer.parse(wish.text)
    } catch {
      throw CommandFailure(.usage, "\(wish.origin): \(error.message)")
    }
    if let proxyUser {
      guard server.credentials == nil || wish.origin != "--proxy" else {
        throw CommandFailure(
          .usage, "--proxy-user and a user in the URL of --proxy cannot be used together")
      }
      server.credentials = try Self.credentials(proxyUser, environment)
      do throws(CredentialsError) {
        try server.checkCredentials()
      } catch {
        throw CommandFailure(.usage, "--proxy-user: \(error.message)")
      }
    }
    configuration.proxy = server
    guard server.kind == .https else {
      // A different URL may get a different proxy from a variable.
      guard proxyCacert == nil || wish.origin != "--proxy" else {
        throw CommandFailure(.usage, "--proxy-cacert requires an https proxy, not \(server)")
      }
      return
    }
    configuration.proxyTLS = try ClientTLS(
      trust: proxyCacert.map { .file(path: $0.text) } ?? .standard(environment)
    ).prepared()
  }

  private static func credentials(
    _ typed: Secret, _ environment: [String: String]
  ) throws -> ProxyServer.Credentials {
    let text = try typed.read(of: "--proxy-user", environment)
    guard let colon = text.firstIndex(of: ":") else {
      throw CommandFailure(.usage, "--proxy-user requires USER:PASSWORD")
    }
    return ProxyServer.Credentials(
      user: String(text[..<colon]), password: String(text[text.index(after: colon)...]))
  }
}

extension ProxyURLError {
  /// Without the text, which may contain a password.
  fileprivate var message: String {
    switch self {
    case .scheme(let scheme):
      "unsupported proxy scheme \"\(scheme)\": use http, https, socks5 or socks5h"
    case .authority(.empty), .authority(.noHost): "the URL has no host"
    case .authority(.port): "invalid port (expected 1 to 65535)"
    case .authority(.forbiddenByte(let offset, _)):
      "the URL contains a control character (byte \(offset))"
    case .authority: "invalid host name or address"
    case .percentEncoding: "the user or the password contains an invalid percent-encoding"
    case .path: "a proxy URL has no path"
    case .credentials(let error): error.message
    }
  }
}

extension CredentialsError {
  fileprivate var message: String {
    switch self {
    case .controlCharacter: "the user or the password contains a control character"
    case .tooLongForSOCKS: "the user and the password can have at most 255 bytes each with SOCKS"
    case .colonInUser: "a user name cannot contain a colon (RFC 7617)"
    }
  }
}
