import ArgumentParser
import Conversation
import Glibc
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// The credentials of the user.
struct CredentialOptions: ParsableArguments {
  @Option(
    name: [.customShort("u", allowingJoined: true), .long, .customLong("auth")],
    help: ArgumentHelp(
      """
      Use Basic authentication; prompts for the password if it is missing; @FILE and env:NAME read it \
      from there. The default is the user information in the URL, then $WSCOPE_USER.
      """, valueName: "user:password"))
  var user: Secret?

  @Option(
    name: [.long, .customLong("oauth2-bearer")],
    help: ArgumentHelp(
      """
      Authenticate with this bearer token; @FILE and env:NAME read it from there. The default is \
      $WSCOPE_BEARER.
      """,
      valueName: "token"))
  var bearer: Secret?

  @Flag(help: "Read user name and password for the host from ~/.netrc.")
  var netrc = false

  @Option(
    help: ArgumentHelp(
      "Read user name and password for the host from this file, in the format of .netrc.",
      valueName: "file"),
    completion: .file())
  var netrcFile: PublicText?

  @Flag(help: "Allow passwords and tokens to be sent unencrypted over ws:// to other machines.")
  var allowClearAuth = false

  @Option(
    help: ArgumentHelp(
      """
      Send this cookie, as in a=b or 'a=b; c=d'; may be repeated. @FILE and env:NAME read it from \
      there.
      """,
      valueName: "name=value"))
  var cookie: [Secret] = []

  @Option(
    help: ArgumentHelp(
      "Send the cookies in this file (Netscape format), and save those that servers set.",
      valueName: "file"),
    completion: .file())
  var cookieJar: PublicText?

  /// Reads files and environment variables, and prompts for a missing password.
  ///
  /// - Throws: `CommandFailure`.
  func read(_ context: CommandContext) async throws -> Credentials {
    try check()
    let environment = context.environment
    var credentials = Credentials()
    credentials.allowsClear = allowClearAuth
    if let bearer {
      let token = try bearer.read(of: "--bearer", environment)
      credentials.typed = .bearer(try checked(token, "--bearer"))
    } else if let user {
      let pair = try user.read(of: "--user", environment)
      credentials.typed = try await basic(pair, "--user", context)
    } else if let bearer = environment["WSCOPE_BEARER"] {
      guard environment["WSCOPE_USER"] == nil else {
        throw CommandFailure(.usage, "WSCOPE_USER and WSCOPE_BEARER cannot be used together")
      }
      let token = try Secret.read(bearer, of: "WSCOPE_BEARER", environment)
      credentials.fromEnvironment = .bearer(try checked(token, "WSCOPE_BEARER"))
    } else if let user = environment["WSCOPE_USER"] {
      let pair = try Secret.read(user, of: "WSCOPE_USER", environment)
      credentials.fromEnvironment = try await basic(pair, "WSCOPE_USER", context)
    }
    credentials.netrc = try readNetrc(environment)
    credentials.cookies = try cookie.map { try pair($0, environment) }
    credentials.store = try cookieJar.map { try Self.store($0.text, context) }
    return credentials
  }

  private func check() throws {
    guard user == nil || bearer == nil else {
      throw CommandFailure(.usage, "--user and --bearer cannot be used together")
    }
    guard !netrc || netrcFile == nil else {
      throw CommandFailure(.usage, "--netrc and --netrc-file cannot be used together")
    }
  }

  private func checked(_ secret: String, _ option: String) throws -> String {
    guard !secret.isEmpty else { throw CommandFailure(.usage, "\(option) is empty") }
    return secret
  }

  private func basic(
    _ text: String, _ option: String, _ context: CommandContext
  ) async throws -> Credentials.Authorization {
    let pair = try checked(text, option)
    if let colon = pair.utf8.firstIndex(of: UInt8(ascii: ":")) {
      return .basic(
        user: String(pair[..<colon]), password: String(pair.utf8[colon...].dropFirst()) ?? "")
    }
    guard let password = await context.console.secret("Password for \(pair): ") else {
      throw CommandFailure(
        .usage, "\(option): no password given, and no terminal to prompt on",
        details: ["try: \(option) USER:PASSWORD, or @FILE, or env:NAME"])
    }
    return .basic(user: pair, password: password)
  }

  private func pair(_ secret: Secret, _ environment: [String: String]) throws -> String {
    let cookie = try secret.read(of: "--cookie", environment)
    guard cookie.contains("="), !cookie.hasPrefix("=") else {
      throw CommandFailure(
        .usage, "--cookie requires name=value; --cookie-jar FILE reads a file of cookies")
    }
    return cookie
  }

  private func readNetrc(_ environment: [String: String]) throws -> Netrc? {
    guard netrc || netrcFile != nil else { return nil }
    guard let path = netrcFile?.text ?? environment["HOME"].map({ "\($0)/.netrc" }) else {
      throw CommandFailure(.usage, "--netrc: HOME is not set; use --netrc-file FILE")
    }
    let bytes = try FileContents.readText(path)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw CommandFailure(.usage, "\(path) is not valid UTF-8")
    }
    do {
      return try Netrc(text)
    } catch {
      throw CommandFailure(.usage, "\(path), line \(error.line): \(error.message)")
    }
  }

  /// A file that does not exist yet is an empty jar.
  private static func store(_ path: String, _ context: CommandContext) throws -> CookieStore {
    guard path != "-" else {
      throw CommandFailure(.usage, "--cookie-jar requires a file: it is read and written")
    }
    var jar = CookieJar()
    // A device has no contents to read, and reading a FIFO would wait for a writer.
    if access(path, F_OK) == 0, !OutputFile.isStream(path) {
      jar = CookieJar(try FileContents.readText(path))
      try report(jar, path, context)
    }
    return CookieStore(jar, now: { UTCTime.now / 1_000_000_000 }) { jar in
      do {
        try FileContents.write(jar.contents, to: path, mode: 0o600, context.console)
      } catch {
        let words = (error as? CommandFailure)?.message ?? "\(error)"
        context.warn("cannot save cookies: \(words)")
      }
    }
  }
}

extension CredentialOptions {
  /// Warns about the lines that are not cookies.
  ///
  /// - Throws: `CommandFailure` if there are no other lines: the file is not a cookie file.
  fileprivate static func report(
    _ jar: CookieJar, _ path: String, _ context: CommandContext
  ) throws {
    guard let first = jar.unreadable.first else { return }
    guard !jar.cookies.isEmpty else {
      throw CommandFailure(
        .usage, "\(path):\(first.number): \(text(first.problem))",
        details: ["hint: --cookie-jar reads the Netscape format, which curl -c writes"])
    }
    for line in jar.unreadable.prefix(5) {
      context.warn("\(path):\(line.number): \(text(line.problem)); the line is kept as it is")
    }
    if jar.unreadable.count > 5 {
      context.warn("\(path): \(jar.unreadable.count - 5) more lines that are not cookies")
    }
  }

  private static func text(_ problem: CookieJar.UnreadableLine.Problem) -> String {
    switch problem {
    case .fields(let count): "not a cookie: expected 7 fields separated by tabs, got \(count)"
    case .spaces: "not a cookie: its fields are separated by spaces, not by tabs"
    case .expiry: "not a cookie: its expiry is not a number of seconds"
    case .emptyName: "not a cookie: its name is empty"
    case .controlCharacter: "not a cookie: it contains a control character"
    case .notUTF8: "not a cookie: it is not valid UTF-8"
    }
  }
}

/// How redirects are handled.
struct RedirectOptions: ParsableArguments {
  @Flag(
    name: [.customShort("L"), .long, .customLong("follow")],
    help: """
      Follow redirects. If the target has another host, port or scheme, no header fields, passwords, \
      cookies or client certificates are sent there.
      """)
  var location = false

  @Option(
    name: [.long, .customLong("max-redirs")],
    help: ArgumentHelp(
      "Limit for consecutive redirects with --location (default: 10).", valueName: "n"))
  var maxRedirects: Int?

  @Flag(help: "Allow --location to follow a redirect from wss:// to ws://.")
  var allowDowngrade = false

  /// The redirect policy; nil follows none.
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
