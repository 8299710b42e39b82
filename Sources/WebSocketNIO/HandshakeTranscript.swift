package import NIOHTTP1
import Synchronization

/// The heads of the opening handshake, as far as they were sent and received, to show them if it
/// fails.
package final class HandshakeTranscript: Sendable {
  /// The heads of one attempt.
  package struct Heads: Sendable {
    /// The request; nil if nothing has been sent yet.
    package var request: HTTPRequestHead?
    /// The bytes sent instead of `request`, if any.
    package var rawRequest: RawRequest?
    /// The bytes of the reply head, at most 4 KiB; empty if nothing was read.
    package var reply: [UInt8] = []
    /// The reply over HTTP/2; `reply` is then empty.
    package var fields: HTTPResponseHead?
  }

  private let state = Mutex(Heads())

  package init() {}

  /// The heads of the last attempt.
  package var heads: Heads { state.withLock { $0 } }

  func sent(_ request: HTTPRequestHead, raw: RawRequest? = nil) {
    state.withLock { $0 = Heads(request: request, rawRequest: raw) }
  }
  func read(_ reply: [UInt8]) { state.withLock { $0.reply = reply } }
  func read(_ fields: HTTPResponseHead) { state.withLock { $0.fields = fields } }
}
