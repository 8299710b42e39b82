import WebSocketProtocol

/// Something of the product that eats strangers' bytes, with an oracle: whatever the input, it does
/// not trap, and what it does does not depend on how the input was cut into reads.
///
/// The same targets are run by libFuzzer (`Tests/Fuzz/fuzz.sh`) and, over the kept seeds and fail
/// cases, by `swift test`.
package struct FuzzTarget: Sendable {
  package let name: String
  /// What is wrong with what came of `input`; nil when nothing is.
  package let complaint: @Sendable (_ input: UnsafeRawBufferPointer) -> String?

  /// SECURITY.md R8, in its order.
  package static let all = [
    FuzzTarget(name: "request-head", complaint: HeadTargets.request),
    FuzzTarget(name: "response-head", complaint: HeadTargets.response),
    FuzzTarget(name: "client-frames") { FrameTargets.frames($0, to: .server) },
    FuzzTarget(name: "server-frames") { FrameTargets.frames($0, to: .client) },
    FuzzTarget(name: "deflate", complaint: DeflateTarget.complaint),
    FuzzTarget(name: "sanitiser", complaint: TextTargets.sanitiser),
    FuzzTarget(name: "url", complaint: TextTargets.url),
    FuzzTarget(name: "session-line", complaint: TextTargets.sessionLine),
    FuzzTarget(name: "script", complaint: TextTargets.script),
    FuzzTarget(name: "rules", complaint: TextTargets.rules),
    FuzzTarget(name: "recording", complaint: TextTargets.recording),
    FuzzTarget(name: "result", complaint: ResultTargets.result),
    FuzzTarget(name: "histogram", complaint: ResultTargets.histogram),
  ]
}
