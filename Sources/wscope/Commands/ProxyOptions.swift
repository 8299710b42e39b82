import ArgumentParser
import WebSocketNIO
import WebSocketProtocol

/// The proxy on the way, by options and by the variables that curl knows.
struct ProxyOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Go through this proxy: http, https, socks5 or socks5h (which looks the name up itself), as \
      http://user:password@host:port. Else http_proxy, https_proxy, all_proxy and no_proxy say.
      """, valueName: "url"))
  var proxy: String?

  @Option(
    help: ArgumentHelp(
      "Who to be for the proxy, as user:password; @FILE and env:NAME keep it off the command line.",
      valueName: "user:password"))
  var proxyUser: String?

  @Option(
    help: ArgumentHelp(
      "Trust the certificates of this PEM file only, for an https proxy.", valueName: "file"),
    completion: .file())
  var proxyCacert: String?

  @Option(
    help: ArgumentHelp(
      "Go through no proxy to these hosts, as no_proxy says it; * is every host.",
      valueName: "list"))
  var noproxy: String?

  /// What was typed becomes what is meant.
  ///
  /// - Throws: `CommandFailure`; `TLSFailure` for a file of certificates that is none.
  func apply(to configuration: inout ClientConfiguration, environment: [String: String]) throws {
    if proxy?.isEmpty == false, case .unixSocket = configuration.endpoint {
      throw CommandFailure(.usage, "--proxy and a unix socket exclude each other")
    }
    let choice = ProxyChoice(option: proxy, exceptions: noproxy, environment: environment)
    // By the name that the URL has, as with curl, whatever stands in its place.
    let named =
      configuration.socketPath == nil ? configuration.url.endpoint : configuration.endpoint
    (configuration.proxy, configuration.proxyTLS) = (nil, nil)
    guard let wish = choice.wish(for: named, configuration.url.security) else { return }
    var server: ProxyServer
    do throws(ProxyURLError) {
      server = try ProxyServer.parse(wish.text)
    } catch {
      throw CommandFailure(.usage, "\(wish.origin): \(error.words)")
    }
    if let proxyUser {
      guard server.credentials == nil || wish.origin != "--proxy" else {
        throw CommandFailure(.usage, "--proxy-user and a user in --proxy exclude each other")
      }
      server.credentials = try Self.credentials(proxyUser, environment)
      do throws(CredentialsError) {
        try server.checkCredentials()
      } catch {
        throw CommandFailure(.usage, "--proxy-user: \(error.words)")
      }
    }
    configuration.proxy = server
    guard server.kind == .https else {
      // Another URL may have another proxy by a variable.
      guard proxyCacert == nil || wish.origin != "--proxy" else {
        throw CommandFailure(.usage, "--proxy-cacert is for an https proxy, and this is \(server)")
      }
      return
    }
    configuration.proxyTLS = try ClientTLS(
      trust: proxyCacert.map { .file(path: $0) } ?? .standard(environment)
    ).prepared()
  }

  private static func credentials(
    _ typed: String, _ environment: [String: String]
  ) throws -> ProxyServer.Credentials {
    let text = try SecretValue.read(typed, of: "--proxy-user", environment)
    guard let colon = text.firstIndex(of: ":") else {
      throw CommandFailure(.usage, "--proxy-user: there is no colon between user and password")
    }
    return ProxyServer.Credentials(
      user: String(text[..<colon]), password: String(text[text.index(after: colon)...]))
  }
}

extension ProxyURLError {
  /// Without the text, in which there may be a password.
  fileprivate var words: String {
    switch self {
    case .scheme(let scheme):
      "\"\(scheme)\" is no proxy that is spoken here; http, https, socks5 and socks5h are"
    case .place(.empty), .place(.noHost): "the URL has no host"
    case .place(.port): "the port is none: 1 to 65535"
    case .place(.forbiddenByte(let offset, _)):
      "the URL contains a control character (byte \(offset))"
    case .place: "its host is no name and no address"
    case .percentEncoding: "the user or the password is not percent-encoded as it should be"
    case .path: "a proxy has no path; / alone may stand behind the port"
    case .credentials(let error): error.words
    }
  }
}

extension CredentialsError {
  fileprivate var words: String {
    switch self {
    case .controlCharacter: "user or password contain a control character"
    case .tooLongForSOCKS: "SOCKS takes at most 255 bytes for the user, and for the password"
    case .colonInUser: "a user's name has no colon (RFC 7617)"
    }
  }
}
