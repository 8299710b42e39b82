import Glibc
import TestPeers

/// The repository that these tests were built from: they read its files, not what was compiled.
enum Repository {
  /// Ends without a slash.
  static let root: String = {
    // ROOT/Tests/HouseRulesTests/Repository.swift
    let parts = #filePath.split(separator: "/").dropLast(3)
    return "/" + parts.joined(separator: "/")
  }()

  /// Whether git can be asked; it cannot in an unpacked archive.
  static let isCheckout = access("\(root)/.git", F_OK) == 0

  static func text(_ path: String) throws -> String {
    String(decoding: try bytes(path), as: UTF8.self)
  }

  static func bytes(_ path: String) throws -> [UInt8] {
    guard let file = fopen("\(root)/\(path)", "r") else { throw TestPeerError("no file \(path)") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      let count = fread(&chunk, 1, chunk.count, file)
      guard count > 0 else { break }
      bytes += chunk[..<count]
    }
    guard ferror(file) == 0 else { throw TestPeerError("cannot read \(path)") }
    return bytes
  }

  /// Replaces a file as a whole: a test that reads it meanwhile sees the old text or the new one.
  static func write(_ text: String, to path: String) throws {
    let draft = "\(root)/\(path).draft"
    guard let file = fopen(draft, "w") else { throw TestPeerError("cannot write \(path)") }
    let bytes = Array(text.utf8)
    let written = fwrite(bytes, 1, bytes.count, file)
    guard fclose(file) == 0, written == bytes.count, rename(draft, "\(root)/\(path)") == 0 else {
      throw TestPeerError("cannot write \(path)")
    }
  }

  /// The files below a folder, as paths from the root, in order.
  static func files(below folder: String, endingIn ending: String = "") throws -> [String] {
    guard let directory = opendir("\(root)/\(folder)") else {
      throw TestPeerError("no folder \(folder)")
    }
    defer { closedir(directory) }
    var found: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
        name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard name != ".", name != ".." else { continue }
      let path = "\(folder)/\(name)"
      if Int32(entry.pointee.d_type) == Int32(DT_DIR) {
        found += try files(below: path, endingIn: ending)
      } else if name.hasSuffix(ending) {
        found.append(path)
      }
    }
    return found.sorted()
  }

  /// The Swift sources of the binary, read once for all rules.
  static let sources = Result {
    try files(below: "Sources", endingIn: ".swift").map {
      SourceFile(path: $0, text: try text($0))
    }
  }

  /// What git keeps and is there, as paths from the root.
  static func trackedFiles() throws -> [String] {
    let git = try ChildProcess.run(
      "/usr/bin/env",
      // The checkout may belong to another user than the one who tests it, as in a container.
      ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z"])
    guard git.exitCode == 0 else { throw TestPeerError("git ls-files: \(git.errorText)") }
    return git.outputText.split(separator: "\0").map(String.init)
      .filter { access("\(root)/\($0)", F_OK) == 0 }
  }
}

/// The built binary, which lies beside the test bundle.
enum Program {
  static let path: String = {
    let folders = CommandLine.arguments[0].split(separator: "/", omittingEmptySubsequences: false)
    return folders.dropLast().joined(separator: "/") + "/wscope"
  }()

  /// Its standard output.
  static func output(_ arguments: [String]) throws -> String {
    let run = try ChildProcess.run(
      path, arguments, environment: ["PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"])
    guard run.exitCode == 0 else {
      throw TestPeerError("wscope \(arguments.joined(separator: " ")): \(run.errorText)")
    }
    return run.outputText
  }
}
