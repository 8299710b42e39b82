import TestPeers
import TestServer
import Testing

@testable import wscope

/// The registries of `listen`: every row is unique, well formed, and in the help, the manual and a test.
@Suite(.blocking) struct ServerRegistryTests {
  private static func isSentence(_ text: String) -> Bool {
    text.first?.isUppercase == true && text.hasSuffix(".") && text.count < 120
      && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x22 && $0.value < 0x7F }
  }

  private static func isName(_ text: String) -> Bool {
    let isLetter = { (byte: UInt8) in (0x61...0x7A).contains(byte) }
    return text.utf8.first.map(isLetter) == true
      && text.utf8.allSatisfy {
        isLetter($0) || (0x30...0x39).contains($0) || $0 == 0x2D || $0 == 0x5F
      }
  }

  /// Without line breaks, which depend on the width.
  private static func help() throws -> String {
    try Program.output(["listen", "--help"]).split { $0.isWhitespace }.joined(separator: " ")
  }

  private static func manual() throws -> String {
    ManualPage(try Repository.text("man/wscope-listen.1")).handWritten.map(Roff.read)
      .joined(separator: "\n")
  }

  private static func completions() throws -> [String] {
    try ["wscope.bash", "_wscope", "wscope.fish"].map { try Repository.text("completions/\($0)") }
  }

  private static func expectUnique(_ names: [String]) {
    #expect(Set(names).count == names.count, "\(names)")
  }

  @Test func modes() throws {
    Self.expectUnique(Modes.spellings)
    let (help, manual, completions) = (try Self.help(), try Self.manual(), try Self.completions())
    let tests = try ["ListenTests", "RoomTests", "SourceModeTests", "ManualModeTests"].map {
      try Repository.text("Tests/EndToEndTests/\($0).swift")
    }.joined()
    for mode in Modes.all {
      #expect(Self.isName(mode.name))
      for (text, summary) in mode.spellings {
        #expect(Self.isSentence(summary), "\(text)")
        #expect(help.contains("\(text): \(summary)"), "\(text)")
        #expect(manual.contains(".It Cm \(text)"), "\(text)")
        #expect(completions.allSatisfy { $0.contains(text) }, "\(text)")
        #expect(try Modes.parse(text).text == text)
      }
      #expect(mode.name == "echo" || tests.contains("\"\(mode.name)\""))
    }
  }

  @Test func paths() throws {
    let all = TestPaths.all
    Self.expectUnique(all.flatMap { [$0.pattern] + $0.aliases })
    let manual = try Self.manual()
    let tests = try Repository.text("Tests/EndToEndTests/TestPathTests.swift")
    for path in all {
      for pattern in [path.pattern] + path.aliases {
        let segments = pattern.split(separator: "/", omittingEmptySubsequences: false)
        #expect(segments.first == "" && segments.count > 1, "\(pattern)")
        for segment in segments.dropFirst() {
          let name = segment.hasPrefix("{") ? segment.dropFirst().dropLast() : segment
          #expect(Self.isName(String(name)), "\(pattern)")
        }
        #expect(manual.contains("/\(segments[1])"), "\(pattern)")
        #expect(tests.contains("\"/\(segments[1])"), "\(pattern)")
        #expect(TestPaths.json.contains("\"\(pattern)\""))
      }
      for parameter in path.query {
        #expect(Self.isName(parameter))
        #expect(manual.contains(parameter), "\(path.pattern): \(parameter)")
      }
      #expect(Self.isSentence(path.summary), "\(path.pattern)")
    }
  }

  @Test func faults() throws {
    Self.expectUnique(Faults.all.map(\.name))
    let (help, manual, completions) = (try Self.help(), try Self.manual(), try Self.completions())
    let tests = try Repository.text("Tests/EndToEndTests/ServerFaultTests.swift")
    for fault in Faults.all {
      #expect(Self.isName(fault.name))
      #expect(Self.isSentence(fault.summary), "\(fault.name)")
      let example = fault.name + (fault.example.map { "=\($0)" } ?? "")
      #expect(throws: Never.self) { try Faults.parse(example) }
      #expect(help.contains("\(example): \(fault.summary)"), "\(fault.name)")
      #expect(manual.contains(".It Cm \(fault.name)"), "\(fault.name)")
      #expect(completions.allSatisfy { $0.contains(fault.name) }, "\(fault.name)")
      #expect(tests.contains("\"\(fault.name)"), "\(fault.name)")
    }
  }

  @Test func controlRequests() throws {
    let all = ControlRequests.all
    Self.expectUnique(all.map { "\($0.method) \($0.pattern)" })
    let manual = try Self.manual()
    let tests = try Repository.text("Tests/EndToEndTests/ServerControlTests.swift")
    for entry in all {
      let fixed = String(entry.pattern.prefix { $0 != "{" })
      #expect(fixed.hasPrefix("/_/"), "\(fixed)")
      for place in [manual, tests] { #expect(place.contains(fixed), "\(fixed)") }
      #expect(["GET", "POST", "DELETE"].contains(entry.method))
      #expect(entry.method == "GET" || manual.contains("\(entry.method) \(fixed)"), "\(fixed)")
      for parameter in entry.query {
        #expect(Self.isName(parameter))
        #expect(manual.contains("\(parameter)="), "\(entry.pattern): \(parameter)")
      }
      #expect(Self.isSentence(entry.summary), "\(entry.pattern)")
    }
  }
}
