import Glibc
import TestPeers
import Testing

@testable import wscope

/// The examples of the manual page of `send`, as they stand there, done by a shell against `listen`.
@Suite(.blocking) struct ManualExamplesTests {
  private static let repository =
    #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 } + "/"

  /// The blocks between `.Bd` and `.Ed` of EXAMPLES, without the escapes of mdoc.
  private static func examples() throws -> [String] {
    let page = String(
      decoding: try FileContents.read(repository + "man/wscope-send.1"), as: UTF8.self)
    let lines = page.split(separator: "\n", omittingEmptySubsequences: false)
      .drop { $0 != ".Sh EXAMPLES" }.dropFirst().prefix { !$0.hasPrefix(".Sh ") }
    var examples: [String] = []
    var block: [Substring]?
    for line in lines {
      if line.hasPrefix(".Bd") {
        block = []
      } else if line == ".Ed" {
        examples.append((block ?? []).joined(separator: "\n").replacing("\\e", with: "\\"))
        block = nil
      } else {
        block?.append(line)
      }
    }
    return examples
  }

  @Test func theyDoWhatTheySay() throws {
    let listener = try Listener()
    let directory = try Wscope.scratch("manual")
    unlink(directory + "/session.jsonl")
    let examples = try Self.examples()
    let local = examples.filter { $0.contains("8080") }
    // Those for a server elsewhere are understood (ArtifactTests), no more.
    #expect(local.count >= 12)
    #expect(examples.count - local.count <= 2)
    for example in local {
      let line = example.replacing("8080", with: "\(listener.port)")
        .replacing("Tests/Examples", with: Self.repository + "Tests/Examples")
      let finished = try Wscope.shell("set -e; cd \(directory); \(line)")
      #expect(finished.exitCode == 0, "\(example)\n\(finished.errorText)")
    }
  }
}
