package import NIOHTTP1
import Synchronization

/// What both sides said in the opening handshake, as far as it was sent and read, to be
/// shown when the handshake fails.
package final class HandshakeTranscript: Sendable {
  package struct Heads: Sendable {
    /// nil if nothing was sent yet.
    package var request: HTTPRequestHead?
    /// Sent in its place.
    package var rawRequest: RawRequest?
    /// The bytes of the reply head, at most 4 KiB; empty if nothing was read.
    package var reply: [UInt8] = []
    /// Over HTTP/2 the reply has no bytes of its own.
    package var fields: HTTPResponseHead?
  }

  private let state = Mutex(Heads())

  package init() {}

  /// Of the last attempt.
  package var heads: Heads { state.withLock { $0 } }

  func sent(_ request: HTTPRequestHead, raw: RawRequest? = nil) {
    state.withLock { $0 = Heads(request: request, rawRequest: raw) }
  }
  func read(_ reply: [UInt8]) { state.withLock { $0.reply = reply } }
  func read(_ fields: HTTPResponseHead) { state.withLock { $0.fields = fields } }
}
