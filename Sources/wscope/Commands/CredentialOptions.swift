import ArgumentParser
import Conversation
import Glibc
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// Who the user says he is.
struct CredentialOptions: ParsableArguments {
  @Option(
    name: [.customShort("u", allowingJoined: true), .long, .customLong("auth")],
    help: ArgumentHelp(
      """
      Basic authentication; asks for a password that is missing. @FILE and env:NAME say where it \
      stands. Without it: what stands before the @ of the URL, then $WSCOPE_USER.
      """, valueName: "user:password"))
  var user: String?

  @Option(
    name: [.long, .customLong("oauth2-bearer")],
    help: ArgumentHelp(
      "Authenticate by a bearer token; also @FILE and env:NAME. Without it: $WSCOPE_BEARER.",
      valueName: "token"))
  var bearer: String?

  @Flag(help: "Take name and password for the host from ~/.netrc.")
  var netrc = false

  @Option(
    help: ArgumentHelp("Take name and password for the host from this file.", valueName: "file"),
    completion: .file())
  var netrcFile: String?

  @Flag(help: "Send passwords and tokens over ws:// to other machines too, for anybody to read.")
  var allowClearAuth = false

  @Option(
    help: ArgumentHelp(
      "Send this cookie, as in a=b or 'a=b; c=d'; may be repeated. Also @FILE and env:NAME.",
      valueName: "name=value"))
  var cookie: [String] = []

  @Option(
    help: ArgumentHelp(
      "Send the cookies of this file (Netscape's format), and keep in it what servers set.",
      valueName: "file"),
    completion: .file())
  var cookieJar: String?

  /// Reads files and variables, and asks the person for a password that is missing.
  ///
  /// - Throws: `CommandFailure`.
  func read(_ context: CommandContext) async throws -> Credentials {
    try check()
    let environment = context.environment
    var credentials = Credentials()
    credentials.allowsClear = allowClearAuth
    if let bearer {
      credentials.typed = .bearer(try token(bearer, "--bearer", environment))
    } else if let user {
      credentials.typed = try await basic(user, "--user", context)
    } else if let bearer = environment["WSCOPE_BEARER"] {
      guard environment["WSCOPE_USER"] == nil else {
        throw CommandFailure(.usage, "WSCOPE_USER and WSCOPE_BEARER exclude each other")
      }
      credentials.standing = .bearer(try token(bearer, "WSCOPE_BEARER", environment))
    } else if let user = environment["WSCOPE_USER"] {
      credentials.standing = try await basic(user, "WSCOPE_USER", context)
    }
    credentials.netrc = try readNetrc(environment)
    credentials.cookies = try cookie.map { try pair($0, environment) }
    credentials.store = try cookieJar.map { try Self.store($0, context) }
    return credentials
  }

  private func check() throws {
    guard user == nil || bearer == nil else {
      throw CommandFailure(.usage, "--user and --bearer exclude each other")
    }
    guard !netrc || netrcFile == nil else {
      throw CommandFailure(.usage, "--netrc and --netrc-file exclude each other")
    }
  }

  private func token(
    _ text: String, _ option: String, _ environment: [String: String]
  ) throws -> String {
    let token = try SecretValue.read(text, of: option, environment)
    guard !token.isEmpty else { throw CommandFailure(.usage, "\(option) is empty") }
    return token
  }

  private func basic(
    _ text: String, _ option: String, _ context: CommandContext
  ) async throws -> Credentials.Authorization {
    let pair = try token(text, option, context.environment)
    if let colon = pair.utf8.firstIndex(of: UInt8(ascii: ":")) {
      return .basic(
        user: String(pair[..<colon]), password: String(pair.utf8[colon...].dropFirst()) ?? "")
    }
    guard let password = await context.console.secret("Password for \(pair): ") else {
      throw CommandFailure(
        .usage, "\(option) \(pair) has no password, and there is nobody to ask for it",
        details: ["try: \(option) \(pair):PASSWORD, or @FILE, or env:NAME"])
    }
    return .basic(user: pair, password: password)
  }

  private func pair(_ text: String, _ environment: [String: String]) throws -> String {
    let cookie = try SecretValue.read(text, of: "--cookie", environment)
    guard cookie.contains("="), !cookie.hasPrefix("=") else {
      throw CommandFailure(
        .usage, "--cookie wants name=value; for a file of cookies: --cookie-jar FILE")
    }
    return cookie
  }

  private func readNetrc(_ environment: [String: String]) throws -> Netrc? {
    guard netrc || netrcFile != nil else { return nil }
    guard let path = netrcFile ?? environment["HOME"].map({ "\($0)/.netrc" }) else {
      throw CommandFailure(.usage, "--netrc: there is no HOME to look for .netrc in")
    }
    let bytes = try FileContents.read(path)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw CommandFailure(.usage, "\(path) is not valid UTF-8")
    }
    do {
      return try Netrc(text)
    } catch {
      throw CommandFailure(.usage, "\(path), line \(error.line): \(error.words)")
    }
  }

  /// A file that is not there yet is an empty jar.
  private static func store(_ path: String, _ context: CommandContext) throws -> CookieStore {
    var jar = CookieJar()
    if access(path, F_OK) == 0 {
      jar = CookieJar(String(decoding: try FileContents.read(path), as: UTF8.self))
    }
    return CookieStore(jar, now: { UTCTime.now / 1_000_000_000 }) { jar in
      do {
        try FileContents.write(jar.text, to: path, mode: 0o600)
      } catch {
        let words = (error as? CommandFailure)?.words ?? "\(error)"
        context.warn("cookies are not kept: \(words)")
      }
    }
  }
}

/// How redirects are met.
struct RedirectOptions: ParsableArguments {
  @Flag(
    name: [.customShort("L"), .long, .customLong("follow")],
    help: """
      Go where a redirect leads. Another host, port or scheme gets none of the header fields, passwords, \
      cookies and client certificates.
      """)
  var location = false

  @Option(
    name: [.long, .customLong("max-redirs")],
    help: ArgumentHelp("With --location: at most this many in a row.", valueName: "n"))
  var maxRedirects: Int?

  @Flag(help: "With --location: also from wss:// to ws://.")
  var allowDowngrade = false

  /// nil follows none.
  ///
  /// - Throws: `CommandFailure`.
  func policy(
    _ tls: ClientTLS, reroute: @escaping @Sendable (inout ClientConfiguration) throws -> Void
  ) throws -> RedirectPolicy? {
    guard location else {
      guard maxRedirects == nil, !allowDowngrade else {
        throw CommandFailure(
          .usage,
          "\(maxRedirects == nil ? "--allow-downgrade" : "--max-redirects") is for --location, "
            + "which is missing")
      }
      return nil
    }
    let limit = maxRedirects ?? 10
    guard (0...1000).contains(limit) else {
      throw CommandFailure(.usage, "--max-redirects must be from 0 to 1000")
    }
    return RedirectPolicy(
      limit: limit, allowsDowngrade: allowDowngrade, tls: tls, reroute: reroute)
  }
}
