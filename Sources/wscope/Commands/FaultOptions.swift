import ArgumentParser
import TestServer

/// The options of `listen` for faults.
struct FaultOptions: ParsableArguments {
  @Option(
    name: .customLong("fault"),
    help: ArgumentHelp(
      """
      Break connections on purpose: KIND[=VALUE][,after=N|D][,for=D][,p=30%][,conn=N-M][,path=GLOB]; may be \
      repeated. \(FaultOptions.kinds)
      """, valueName: "fault"),
    completion: .list(FaultOptions.examples))
  var faults: [String] = []

  @Flag(
    name: .customLong("no-url-faults"),
    help: "Ignore ?fault= in client URLs, which adds a fault to that connection.")
  var noURLFaults = false

  @Option(
    help: ArgumentHelp(
      "Seed of everything random about faults, 0 to 2^64-1 (default: a random one).",
      valueName: "seed"))
  var seed: UInt64?

  /// - Throws: `CommandFailure` for an invalid fault.
  func plan() throws -> FaultPlan {
    FaultPlan(
      rules: try faults.map { text in
        do throws(FaultError) {
          return try Faults.parse(text)
        } catch {
          let fault = error.fault.map { " \($0)" } ?? ""
          throw CommandFailure(.usage, "--fault\(fault): \(error.problem)")
        }
      },
      seed: seed ?? UInt64.random(in: 0...UInt64.max))
  }

  /// The text about faults in a ready line; nil if there are none.
  func summary(_ plan: FaultPlan) -> String? {
    guard !plan.rules.isEmpty || seed != nil else { return nil }
    let rules =
      plan.rules.isEmpty ? "those of URLs" : plan.rules.map(\.line).joined(separator: "; ")
    return "faults: \(rules)  seed \(plan.seed)"
  }

  private static var examples: [String] {
    Faults.all.map { entry in entry.name + (entry.example.map { "=\($0)" } ?? "") }
  }

  /// Every kind with its summary, for the help.
  private static var kinds: String {
    zip(examples, Faults.all).map { "\($0): \($1.summary)" }.joined(separator: " ")
  }
}
