import Glibc
import TestPeers
import Testing

@testable import wscope

/// Inputs from real use that once failed: files, cookies, limits of the process.
@Suite(.blocking) struct RealInputFileTests {
  private static let cookie = "Set-Cookie: kept=1; Max-Age=1000"

  private func peer() throws -> RawPeer {
    try RawPeer([
      .readRequest, .acceptAnd(Self.cookie), .frame(opcode: 8, [0x03, 0xE8]), .readToEnd,
    ])
  }

  private func kind(_ path: String) -> UInt32 {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : 0
  }

  private func contents(_ path: String) throws -> String {
    String(decoding: try FileContents.read(path), as: UTF8.self)
  }

  /// Row 1: each option that writes a file, to a FIFO that has a reader.
  @Test(arguments: ["--junit", "--cookie-jar", "--record"])
  func row01_aFIFOGetsTheFile(_ option: String) throws {
    let fifo = try Wscope.scratch("fifo\(option)") + "/fifo"
    mkfifo(fifo, 0o600)
    let reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    defer { close(reader) }
    let peer = try peer()
    let finished = try Wscope.run(["send", peer.url, option, fifo], input: "")
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = read(reader, &bytes, bytes.count)
    let expected = ["--junit": "<testsuite", "--cookie-jar": "kept", "--record": "\"record\""]
    let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    #expect(text.contains(try #require(expected[option])), "\(text)")
    #expect(kind(fifo) == S_IFIFO)
  }

  /// Row 1: a symbolic link is followed, except by a recording (SECURITY R16).
  @Test func row01_aLinkIsFollowed() throws {
    let directory = try Wscope.scratch("links")
    let peer = try peer()
    for (option, name) in [("--junit", "junit"), ("--cookie-jar", "jar")] {
      let (link, target) = ("\(directory)/\(name)-link", "\(directory)/\(name)")
      symlink(target, link)
      _ = try Wscope.run(["send", peer.url, option, link], input: "")
      #expect(kind(link) == S_IFLNK && kind(target) == S_IFREG, "\(option)")
    }
    let link = directory + "/record-link"
    symlink(directory + "/record", link)
    for force in [[], ["--force"]] {
      let refused = try Wscope.run(["send", peer.url, "--record", link] + force, input: "")
      #expect(refused.exitCode != 0, "\(refused.errorText)")
      #expect(kind(directory + "/record") == 0)
    }
    let listener = try Listener(["--port-file", directory + "/junit-link"])
    #expect(try contents(directory + "/junit") == "\(listener.port)\n")
    #expect(kind(directory + "/junit-link") == S_IFLNK)
  }

  /// Row 1: `-` is standard output, where that can be.
  @Test func row01_aDashIsStandardOutput() throws {
    let peer = try peer()
    let junit = try Wscope.run(["send", peer.url, "--junit", "-"], input: "")
    #expect(junit.outputText.contains("<testsuite"), "\(junit.errorText)")
    let record = try Wscope.run(["send", peer.url, "--record", "-"], input: "")
    #expect(record.outputText.contains("\"event\":\"record\""), "\(record.errorText)")
    let jar = try Wscope.run(["send", peer.url, "--cookie-jar", "-"], input: "")
    #expect(jar.exitCode == 2 && jar.errorText.contains("--cookie-jar requires a file"))
    let listener = try Wscope.start(["listen", "0", "--port-file", "-"], hasInput: false)
    let port = try #require(try listener.readLine(from: .standardOutput))
    #expect(Int(port) != nil)
    #expect(access("-", F_OK) != 0, "a file named - was made")
  }

  /// Row 1, as a user without privileges: a file that may not be written is left alone, and one in a directory that
  /// takes no new file is written in place.
  @Test(.enabled(if: geteuid() == 0 && access("/usr/bin/setpriv", X_OK) == 0))
  func row01_asAnOrdinaryUser() throws {
    let directory = "/tmp/wscope-user-\(getpid())"
    let made = try Wscope.shell(
      "mkdir -m 755 \(directory) && cp \"$WSCOPE\" \(directory)/wscope && cd \(directory) && mkdir -m 755 closed open "
        + "&& echo old | tee open/readonly closed/mine closed/theirs >/dev/null && chmod 444 open/readonly "
        + "&& chmod 644 closed/* && chown 65534:65534 open open/readonly closed/mine", deadline: 60)
    defer { _ = try? Wscope.shell("rm -rf \(directory)") }
    #expect(made.exitCode == 0, "\(made.errorText)")
    let peer = try peer()
    for (file, exitCode) in [
      ("open/new", 0), ("open/readonly", 23), ("closed/mine", 0), ("closed/theirs", 23),
      ("closed/new", 23),
    ] {
      let finished = try Wscope.shell(
        "cd \(directory) && setpriv --reuid=65534 --regid=65534 --clear-groups ./wscope send "
          + "\(peer.url) --junit \(file) </dev/null")
      #expect(finished.exitCode == Int32(exitCode), "\(file): \(finished.errorText)")
      let text = (try? contents("\(directory)/\(file)")) ?? ""
      #expect(text.contains("<testsuite") == (exitCode == 0), "\(file): \(text)")
      if exitCode != 0 {
        #expect(finished.errorText.contains("cannot write \(file): Permission denied"))
      }
    }
  }

  /// Row 4: what is not a cookie is reported with its line, and kept.
  @Test func row04_unreadableCookieLinesAreReportedAndKept() throws {
    let jar = try Wscope.scratch("row04") + "/jar"
    let lines: [[UInt8]] = [
      Array("127.0.0.1\tFALSE\t/\tFALSE\t1893456000.5\tdecimal\tv".utf8),
      Array("127.0.0.1 FALSE / FALSE 0 spaces v".utf8),
      Array("127.0.0.1\tFALSE\t/\tFALSE\t0\tlatin\tcaf".utf8) + [0xE9],
    ]
    try FileContents.write(Array(lines.joined(separator: [0x0A])) + [0x0A], to: jar)
    let peer = try peer()
    let finished = try Wscope.run(["send", peer.url, "--cookie-jar", jar], input: "")
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    #expect(
      finished.errorText.contains("\(jar):2: not a cookie: its fields are separated by spaces"))
    #expect(finished.errorText.contains("\(jar):3: not a cookie: it is not valid UTF-8"))
    #expect(try #require(peer.requests.first).contains("Cookie: decimal=v\r\n"))
    let kept = try FileContents.read(jar)
    for line in lines[1...] { #expect(kept.firstRange(of: line) != nil) }
    #expect(kept.firstRange(of: Array("kept\t1".utf8)) != nil)
  }

  @Test(arguments: [#"[{"name":"a","value":"b"}]"#, "a=b; c=d", "x FALSE / FALSE 0 a b"])
  func row04_aFileWithoutCookiesIsRefused(_ contents: String) throws {
    let jar = try Wscope.scratch("row04-none") + "/jar\(contents.utf8.count)"
    try FileContents.write(contents + "\n", to: jar)
    let finished = try Wscope.run(["send", "ws://127.0.0.1:1/", "--cookie-jar", jar], input: "")
    #expect(finished.exitCode == 2)
    #expect(finished.errorText.contains("\(jar):1: not a cookie"), "\(finished.errorText)")
    #expect(try self.contents(jar) == contents + "\n")
  }

  @Test func row04_secureCookiesThatStayAreNamed() throws {
    let jar = try Wscope.scratch("row04-secure") + "/jar"
    try FileContents.write("127.0.0.1\tFALSE\t/\tTRUE\t0\tsid\tv\n", to: jar)
    let peer = try peer()
    let finished = try Wscope.run(["send", "-v", peer.url, "--cookie-jar", jar], input: "")
    #expect(finished.errorText.contains("cookies marked Secure are not sent over ws://: sid"))
  }

  /// Row 5: a limit that is too low is an error and no trap, and nothing hangs.
  @Test(arguments: [("-n 12", "open files"), ("-v 150000", "virtual memory")])
  func row05_limitsOfTheProcess(_ limit: String, _ said: String) throws {
    for command in [
      "send ws://127.0.0.1:1/ hi", "listen 0", "bench -n 1", "connect ws://127.0.0.1:1/",
    ] {
      let finished = try Wscope.shell("ulimit \(limit); wscope \(command)")
      #expect(finished.exitCode == 2, "\(command): \(finished.ending)")
      #expect(finished.errorText.contains("wscope: the limit of \(said) is too low"))
      #expect(finished.errorText.contains("try: ulimit \(limit.prefix(2))"))
    }
  }
}
