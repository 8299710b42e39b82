import FuzzTargets
import Glibc
import LoadTesting
import Testing

/// Every seed and every input that once failed (`Tests/Fuzz`) goes through its target again.
@Suite struct ReplayTests {
  @Test(arguments: FuzzTarget.all.map(\.name))
  func seedsAndFailCasesPass(name: String) throws {
    let target = try #require(FuzzTarget.all.first { $0.name == name })
    let inputs = try Self.inputs("Seeds/\(name)") + Self.inputs("FailCases/\(name)")
    // An empty folder would pass without having tried anything.
    #expect(inputs.count >= 5)
    for (path, bytes) in inputs {
      let complaint = bytes.withUnsafeBytes { target.complaint($0) }
      if let complaint { Issue.record("\(path): \(complaint)") }
    }
  }

  /// SECURITY R4: every split point of a valid head, and of the frames in its segment.
  @Test(arguments: [
    ("request-head", "frames"), ("request-head", "deflate"), ("response-head", "frames"),
    ("response-head", "deflate"), ("response-head", "interim"),
  ])
  func splitsOfValidHeads(name: String, seed: String) throws {
    let target = try #require(FuzzTarget.all.first { $0.name == name })
    let input = try Self.read("\(Self.root)/Seeds/\(name)/\(seed)")
    // Behind the options and the three cuts that the seed has.
    let data = input.dropFirst(8)
    #expect(data.starts(with: name == "request-head" ? "GET".utf8 : "HTTP".utf8))
    for cut in 0...data.count {
      let bytes = [input[0], 1, UInt8(cut & 255), UInt8(cut >> 8)] + data
      let complaint = bytes.withUnsafeBytes { target.complaint($0) }
      if let complaint { Issue.record("cut at \(cut): \(complaint)") }
    }
  }

  /// A seed that is rejected at its first member would lead a fuzzer nowhere.
  @Test(arguments: ["open", "closed", "censored", "verdict", "errors", "cut", "later"])
  func seedsOfResultsAreResults(name: String) throws {
    _ = try LoadReport(json: try Self.read("\(Self.root)/Seeds/result/\(name)"))
  }

  /// A folder by another name would never be replayed.
  @Test func everyFolderBelongsToATarget() throws {
    let names = Set(FuzzTarget.all.map(\.name))
    for folder in ["Seeds", "FailCases"] {
      #expect(Set(try Self.names(in: folder)).isSubset(of: names))
    }
  }

  private static func inputs(_ folder: String) throws -> [(String, [UInt8])] {
    try names(in: folder).map { name in
      let path = "\(folder)/\(name)"
      return (path, try read("\(root)/\(path)"))
    }
  }

  private static let root =
    #filePath.split(separator: "/").dropLast(2)
    .reduce(into: "") { $0 += "/" + $1 } + "/Fuzz"

  private struct Unreadable: Error {
    var path: String
  }

  /// The entries of a folder; none when it is not there.
  private static func names(in folder: String) throws -> [String] {
    guard let directory = opendir("\(root)/\(folder)") else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
  }

  private static func read(_ path: String) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Unreadable(path: path) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      guard count >= 0 else { throw Unreadable(path: path) }
      guard count > 0 else { return bytes }
      bytes += chunk[..<count]
    }
  }
}
