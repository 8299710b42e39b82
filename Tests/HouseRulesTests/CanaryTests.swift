import ArgumentParser
import Conversation
import Glibc
import TestPeers
import Testing
import WebSocketProtocol

@testable import wscope

/// A secret goes in by every option whose type says that it is one, under every spelling, and by every other
/// way into the request; no output shows it (SECURITY R16).
///
/// The options come from the definitions: one that is added later is covered without a line here.
@Suite(.blocking) struct CanaryTests {
  private static let canary = "cAnArY7"
  private static let commands = ["connect", "listen", "send", "bench"]

  /// A command and the ways to spell one of its secret options.
  struct SecretOption: CustomTestStringConvertible {
    var command: String
    var name: String
    var spellings: [String]

    var testDescription: String { "\(command) --\(name)" }
  }

  private static func options() throws -> [SecretOption] {
    let help = try CommandHelp.ofTheBinary()
    let commands: [(String, Any)] = [
      ("connect", try Connect.parse([])), ("listen", try Listen.parse([])),
      ("send", try Send.parse(["localhost"])), ("bench", try Bench.parse([])),
    ]
    return try commands.flatMap { command, parsed in
      let arguments = try #require(help.subcommands.first { $0.name == command }).arguments
      return try secrets(of: parsed).map { name in
        let argument = try #require(arguments.first { $0.names.contains("--\(name)") })
        return SecretOption(command: command, name: name, spellings: argument.names)
      }
    }
  }

  /// The long names of the options whose values are secrets.
  private static func secrets(of container: Any) -> [String] {
    Mirror(reflecting: container).children.flatMap { child -> [String] in
      let type = "\(type(of: child.value))"
      if type.hasPrefix("OptionGroup<") {
        // The group's value is computed: it is behind the wrapper.
        return (child.value as? any WrappedGroup).map { secrets(of: $0.options) } ?? []
      }
      guard type.hasPrefix("Option<"), type.contains("Secret") else { return [] }
      let label = (child.label ?? "").drop { $0 == "_" }
      return [
        label.reduce(into: "") { name, character in
          if character.isUppercase { name.append("-") }
          name += character.lowercased()
        }
      ]
    }
  }

  @Test func theKnownSecretsAreFound() throws {
    let names = try Set(Self.options().map { "\($0.command) \($0.name)" })
    for command in ["connect", "send", "bench"] {
      for name in ["user", "bearer", "cookie", "pass", "proxy-user"] {
        #expect(names.contains("\(command) \(name)"), "of \(names)")
      }
    }
  }

  @Test(arguments: commands) func noOptionLeaks(of command: String) throws {
    let outputs = try Outputs()
    let options = try Self.options().filter { $0.command == command }
    #expect(!options.isEmpty)
    for option in options {
      for (index, spelling) in option.spellings.enumerated() {
        // A pair, a cookie, a bare word, and a password that looks like the name of a file.
        let values = [
          "a:\(Self.canary)", "a=\(Self.canary)", Self.canary, "@\(Self.canary)",
        ].prefix(index == 0 ? 4 : 1)
        for value in values {
          let typed = spelling.hasPrefix("--") ? ["\(spelling)=\(value)"] : [spelling, value]
          try outputs.check(option.command, typed, url: outputs.plainURL, Self.canary)
        }
        guard index == 0 else { continue }
        // What some of them go with.
        for companions in [["--proxy", "http://127.0.0.1:1"], ["--cert", "/dev/null"]] {
          let typed = [spelling, "a:\(Self.canary)"] + companions
          try outputs.check(option.command, typed, url: outputs.plainURL, Self.canary)
        }
      }
    }
  }

  @Test func noQueryItemLeaks() throws {
    let outputs = try Outputs()
    let names = [
      "token", "access_token", "KEY", "apikey", "client_secret", "password", "sig", "auth",
      "t%6Fken",
    ]
    let query = "?x=1" + names.map { "&\($0)=\(Self.canary)" }.joined()
    for command in ["connect", "send", "bench"] {
      for base in [outputs.plainURL, outputs.refusingURL] {
        try outputs.check(command, [], url: base + query, Self.canary)
      }
    }
  }

  @Test(arguments: [
    "u:cAnArY7@HOST", "ws://cAnArY7@HOST/", "ws://u:cAn/cAnArY7@HOST/", "ws://u:1:cAnArY7@HOST/",
    "http://u:cAnArY7@HOST:x/", "ftp://u:cAnArY7@HOST/",
  ])
  func noUserInformationLeaks(_ form: String) throws {
    let outputs = try Outputs()
    for (command, url) in [("send", outputs.plainURL), ("bench", outputs.refusingURL)] {
      let host = url.dropFirst("ws://".count).prefix { $0 != "/" }
      let typed = form.replacing("HOST", with: host)
      try outputs.check(command, [], url: typed, Self.canary)
      let proxy = typed.replacing("ws://", with: "http://")
      try outputs.check(command, ["--proxy", proxy], url: url, Self.canary)
    }
  }

  @Test func noHeaderFieldLeaks() throws {
    let outputs = try Outputs()
    let names = [
      "Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "api-key",
      "X-Amz-Security-Token",
    ]
    let typed = names.flatMap { ["-H", "\($0): a=\(Self.canary)"] }
    for command in ["connect", "send", "bench"] {
      for url in [outputs.plainURL, outputs.refusingURL] {
        try outputs.check(command, typed, url: url, Self.canary)
      }
      try outputs.check(command, ["-H", Self.canary], url: outputs.plainURL, Self.canary)
    }
  }

  @Test func noSubprotocolLeaks() throws {
    let outputs = try Outputs()
    for command in ["connect", "send", "bench"] {
      let typed = ["-s", "realtime, openai-insecure-api-key.\(Self.canary)"]
      try outputs.check(command, typed, url: outputs.plainURL, Self.canary)
      try outputs.check(command, typed, url: outputs.refusingURL, Self.canary)
    }
  }

  /// The value that is meant by `env:` and `@` is as secret as one that is typed.
  @Test(arguments: commands) func noIndirectSecretLeaks(of command: String) throws {
    let outputs = try Outputs()
    let file = outputs.directory + "/secret"
    try FileContents.write("a:\(Self.canary)\n", to: file)
    for option in try Self.options() where option.command == command {
      for value in ["env:WSCOPE_TEST_SECRET", "@\(file)"] {
        try outputs.check(
          option.command, ["--\(option.name)=\(value)"], url: outputs.plainURL, Self.canary)
      }
    }
  }
}

/// What can be seen and kept of a run, searched for a text.
private final class Outputs {
  let directory: String
  /// An echo server that logs everything.
  private let server: ChildProcess
  private let refusing: RawPeer
  let plainURL: String
  var refusingURL: String { refusing.url }

  init() throws {
    directory = "/tmp/wscope-canary-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    mkdir(directory, 0o700)
    server = try ChildProcess.start(
      Program.path, ["listen", "0", "-v", "-s", "realtime"], hasInput: false)
    let ready = try server.readLine(from: .standardError) { $0.contains("listening on") }
    let digits = ready.split(separator: "127.0.0.1:", maxSplits: 1).last?.prefix { $0.isNumber }
    plainURL = "ws://127.0.0.1:\(digits ?? "")/"
    refusing = try RawPeer([
      .readRequest,
      .send(
        Array(
          ("HTTP/1.1 401 Unauthorized\r\nLocation: /?token=cAnArY7\r\nSet-Cookie: a=cAnArY7\r\n"
            + "Content-Length: 2\r\n\r\nno").utf8)),
      .readToEnd,
    ])
  }

  deinit {
    server.signal(SIGTERM)
    refusing.stop()
    if let finished = try? server.wait() {
      #expect(!(finished.errorText + finished.outputText).contains("cAnArY7"), "log of listen")
    }
    for name in ["junit", "record"] { unlink("\(directory)/\(name)") }
    unlink(directory + "/secret")
    rmdir(directory)
  }

  func check(_ command: String, _ options: [String], url: String, _ canary: String) throws {
    guard command != "listen" else { return try checkServer(options, canary) }
    let files = ["junit", "record"].map { "\(directory)/\($0)" }
    let limits = ["--open-timeout", "5s"]
    let runs: [[String]] =
      switch command {
      case "send":
        [
          ["-v", "-w", "0", "--junit", files[0], "--record", files[1], "--force", url, "hi"],
          ["-v", "-w", "0", "--format", "jsonl", url, "hi"],
          ["-w", "0", "--tap-output", "--expect", "x", "--within", "1ms", url, "hi"],
        ].map { $0 + limits }
      case "connect": [["-vv", "-w", "0", "--record", files[1], "--force", url] + limits]
      case "bench":
        ["json", "html", "md", "text"].map { ["-n", "2", "-c", "1", url, "--format", $0] + limits }
      default: throw TestPeerError("no way to run \(command)")
      }
    for run in runs {
      let finished = try ChildProcess.run(
        Program.path, [command] + options + run, input: [], environment: environment(canary))
      let kept = try files.filter { access($0, F_OK) == 0 }.map {
        String(decoding: try FileContents.read($0), as: UTF8.self)
      }
      let shown = [finished.outputText, finished.errorText] + kept
      for text in shown where text.contains(canary) {
        Issue.record("wscope \(command) \(options + run) shows the secret:\n\(text)")
      }
      for file in files { unlink(file) }
    }
  }
}

extension Outputs {
  private func environment(_ canary: String) -> [String: String] {
    ["WSCOPE_TEST_SECRET": "a:\(canary)", "HOME": directory, "SWIFT_BACKTRACE": "enable=no"]
  }

  /// A server that logs everything, and clients that present the secret in every way.
  private func checkServer(_ options: [String], _ canary: String) throws {
    let server = try ChildProcess.start(
      Program.path, ["listen", "0", "-v"] + options, hasInput: false,
      environment: environment(canary))
    // Another line says what is wrong with the options.
    let ready = try server.readLine(from: .standardError) ?? ""
    let digits = ready.split(separator: "127.0.0.1:", maxSplits: 1).last?.prefix { $0.isNumber }
    if ready.contains("listening on"), let number = digits.flatMap({ Int($0) }) {
      let token = Array("a:\(canary)".utf8).withUnsafeBytes { Base64.encode($0) }
      for (path, field) in [
        ("/", "Authorization: Basic \(token)"), ("/", "Authorization: Bearer \(canary)"),
        ("/?access_token=\(canary)", "X: y"), ("/?access_token=no\(canary)", "X: y"),
      ] {
        let client = try RawClient(port: number)
        client.send(RawClient.request(path: path, fields: [field]))
        _ = client.readHead()
      }
    }
    server.signal(SIGTERM)
    let finished = try server.wait()
    if (finished.errorText + finished.outputText).contains(canary) {
      Issue.record("wscope listen \(options) shows the secret:\n\(finished.errorText)")
    }
  }
}

private protocol WrappedGroup {
  var options: Any { get }
}

extension OptionGroup: WrappedGroup {
  fileprivate var options: Any { wrappedValue }
}
