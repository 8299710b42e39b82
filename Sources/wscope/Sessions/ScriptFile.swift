import Conversation
import Terminal
import TestServer

/// Reads scripts and rules, and reports errors in them.
enum ScriptFile {
  /// Reads a file.
  ///
  /// - Parameters:
  ///   - path: The path of the file; `-` for standard input.
  ///   - context: Where the script is used.
  ///   - environment: Values of variables that the script does not set.
  /// - Returns: The script, and the name of the file for messages.
  /// - Throws: `CommandFailure`.
  static func read(
    _ path: String, _ context: ScriptContext, _ environment: [String: String]
  ) throws -> (script: Script, name: String) {
    let name = path == "-" ? "standard input" : path
    let bytes = FileContents.withoutByteOrderMark(
      path == "-" ? try FileContents.read(path) : try FileContents.readFile(path))
    let script: Script
    do throws(ScriptError) {
      script = try Script.parse(bytes, context: context)
    } catch {
      guard error.line > 0 else { throw CommandFailure(.usage, "\(name): \(error.problem)") }
      throw CommandFailure(
        .usage, "\(name):\(error.line): \(safe(error.problem))",
        details: error.text.isEmpty ? [] : [detail(error.text)])
    }
    if let (variable, line, text) = unset(script, context, environment) {
      throw CommandFailure(
        .usage, "\(name):\(line): $\(variable) is not set",
        details: [detail(text), "hint: write $$ for a dollar sign"])
    }
    return (script, name)
  }

  /// Parses rules that are given individually.
  ///
  /// - Parameters:
  ///   - texts: The texts, each a rule or an action of the previous rule.
  ///   - environment: Values of variables that the rules do not set.
  /// - Returns: The rules, with negative line numbers.
  /// - Throws: `CommandFailure`.
  static func rules(_ texts: [String], _ environment: [String: String]) throws -> [Script.Rule] {
    guard !texts.isEmpty else { return [] }
    if texts.contains(where: { $0.utf8.contains(0x0A) }) {
      throw CommandFailure(.usage, "--on: a rule is one line")
    }
    let script: Script
    do throws(ScriptError) {
      script = try Script.parse(
        Array(texts.joined(separator: "\n").utf8), context: .listenRules)
    } catch {
      throw CommandFailure(
        .usage, "--on: \(safe(error.problem))",
        details: error.text.isEmpty ? [] : [detail(error.text)])
    }
    if let (variable, _, text) = unset(script, .listenRules, environment) {
      throw CommandFailure(
        .usage, "--on: $\(variable) is not set",
        details: [detail(text), "hint: write $$ for a dollar sign"])
    }
    return script.rules.map { rule in
      var rule = rule
      rule.line = -rule.line
      return rule
    }
  }

  /// Reads the files that `>@` sends, relative to the script.
  ///
  /// - Returns: The contents of the files, by the names in the script.
  /// - Throws: `CommandFailure`.
  static func files(
    _ script: Script, beside path: String?, _ environment: [String: String]
  ) throws -> [String: [UInt8]] {
    let folder = path.flatMap { path in path.lastIndex(of: "/").map { String(path[...$0]) } } ?? ""
    var files: [String: [UInt8]] = [:]
    for name in Scripting.fileNames(script, environment) {
      let path = name.hasPrefix("/") ? name : folder + name
      let bytes = try FileContents.readFile(path)
      if let problem = InvalidText(bytes) {
        throw CommandFailure(.usage, "\(path) is \(problem.message)")
      }
      files[name] = bytes
    }
    return files
  }

  private static func unset(
    _ script: Script, _ context: ScriptContext, _ environment: [String: String]
  ) -> (name: String, line: Int, text: String)? {
    script.free.first { environment[$0.name] == nil && !context.predefined.contains($0.name) }
  }

  /// Escaped, since a file may contain anything.
  static func detail(_ step: String) -> String { "step: \(safe(step))" }

  private static func safe(_ text: String) -> String {
    ControlCharacters.escaped(text, keepingNewlines: false, highlight: false)
  }
}
