import TestPeers
import Testing

/// What the repository holds, and what it must not hold.
@Suite(.blocking) struct RepositoryTests {
  /// PRODUCT.md section 6.
  static let topLevel: Set<String> = [
    "Package.swift", "Sources", "Tests", "completions", "man", "README.md", "LICENSE",
  ]

  static func strangers(_ paths: [String]) -> Set<String> {
    let entries = paths.compactMap { $0.split(separator: "/").first.map(String.init) }
    return Set(entries.filter { !$0.hasPrefix(".") }).subtracting(topLevel)
  }

  @Test(.enabled(if: Repository.isCheckout))
  func topLevelHoldsWhatItShould() throws {
    #expect(Self.strangers(try Repository.trackedFiles()) == [])
  }

  @Test func aStrangerAtTheTopIsSeen() {
    #expect(
      Self.strangers(["docs/a.md", "Sources/a.swift", ".ci/run", "NOTES"]) == ["docs", "NOTES"])
  }

  static func isMadeByABuild(_ path: String) -> Bool {
    let top = path.split(separator: "/").first ?? ""
    return path.hasSuffix("Package.resolved") || top.hasPrefix(".build") || top == ".swiftpm"
      || path.hasSuffix(".profraw")
  }

  @Test(.enabled(if: Repository.isCheckout))
  func whatABuildMakesIsNotKept() throws {
    #expect(try Repository.trackedFiles().filter(Self.isMadeByABuild) == [])
  }

  @Test(arguments: [
    ("Package.resolved", true), (".build/debug.yaml", true), (".build-asan/a", true),
    ("a/b.profraw", true), ("Package.swift", false), ("Tests/build.sh", false),
  ])
  func whatABuildMakesIsKnown(_ path: String, _ isMade: Bool) {
    #expect(Self.isMadeByABuild(path) == isMade)
  }

  /// Folders of the machines that the work was done on; put together here, or this file would name
  /// them itself.
  static let machinePaths = ["/work" + "/", "/ho" + "me/", "/ro" + "ot/"]

  @Test(.enabled(if: Repository.isCheckout))
  func noFileNamesAMachinesFolders() throws {
    for path in try Repository.trackedFiles() {
      let text = try Repository.text(path)
      for folder in Self.machinePaths {
        #expect(!text.contains(folder), "\(path) names \(folder)")
      }
    }
  }

  // MARK: Dependencies

  struct Dependency: Hashable {
    var name: String
    /// Behind `from:`; nil if it is pinned in another way.
    var floor: String?
  }

  /// The `.package(url:)` lines of a manifest.
  static func dependencies(_ manifest: String) -> [Dependency] {
    manifest.split(separator: "\n").filter { $0.contains(".package(url:") }.map { line in
      let strings = line.split(separator: "\"", omittingEmptySubsequences: false)
      let name = strings.dropFirst().first?.split(separator: "/").last.map(String.init) ?? ""
      let isFloor = strings.count > 3 && strings[2].contains("from:")
      return Dependency(name: name, floor: isFloor ? String(strings[3]) : nil)
    }
  }

  /// SECURITY.md R22: the first versions past every advisory. The two that are not used yet stand
  /// here for the day on which they are.
  static let floors = [
    "swift-nio": "2.100.0", "swift-nio-http2": "1.44.1", "swift-nio-ssl": "2.37.2",
    "swift-nio-extras": "1.35.2",
  ]

  static func isBelow(_ version: String, _ floor: String) -> Bool {
    let numbers = [version, floor].map { $0.split(separator: ".").map { Int($0) ?? -1 } }
    return numbers[0].lexicographicallyPrecedes(numbers[1])
  }

  @Test func dependenciesArePastTheirAdvisories() throws {
    let found = Self.dependencies(try Repository.text("Package.swift"))
    #expect(
      found.contains { $0.name == "swift-nio" } && found.contains { $0.name == "swift-nio-ssl" })
    for dependency in found {
      let version = try #require(dependency.floor, "\(dependency.name) has no from:")
      if let floor = Self.floors[dependency.name] {
        #expect(!Self.isBelow(version, floor), "\(dependency.name) \(version), not from \(floor)")
      }
    }
  }

  @Test(arguments: [
    ("2.99.9", "2.100.0", true), ("2.100.0", "2.100.0", false), ("3.0.0", "2.100.0", false),
    ("2.37.1", "2.37.2", true), ("", "1.0.0", true),
  ])
  func versionsAreComparedByTheirNumbers(_ version: String, _ floor: String, _ isBelow: Bool) {
    #expect(Self.isBelow(version, floor) == isBelow)
  }

  @Test func aManifestIsRead() {
    let manifest = """
      .package(url: "https://example.org/a/swift-nio", from: "2.100.0"),
      .package(url: "https://example.org/a/other", branch: "main"),
      """
    #expect(
      Self.dependencies(manifest) == [
        Dependency(name: "swift-nio", floor: "2.100.0"), Dependency(name: "other", floor: nil),
      ])
  }
}
