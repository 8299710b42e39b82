import NIOCore
import NIOHTTP1
import WebSocketProtocol

/// A request head to send byte for byte, valid or not, to test how a server reacts.
package struct RawRequest: Sendable, Hashable {
  package let bytes: [UInt8]

  package init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// The parts of the request that the reply must match, as far as they are present: the key, the
  /// subprotocols and permessage-deflate.
  var handshake: ClientHandshake {
    var handshake = ClientHandshake(nonce: (0, 0))
    handshake.key = ""
    handshake.adopt(fields)
    return handshake
  }

  private var fields: [(String, String)] {
    bytes.split(separator: 0x0A).compactMap { line in
      let text = String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
      guard let colon = text.firstIndex(of: ":") else { return nil }
      return (Self.trimmed(text[..<colon]), Self.trimmed(text[colon...].dropFirst()))
    }
  }

  private static func trimmed(_ text: Substring) -> String {
    let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
    var text = text.drop(while: isSpace)
    while let last = text.last, isSpace(last) { text.removeLast() }
    return String(text)
  }
}

/// Replaces the HTTP encoder: sends these bytes instead of the request that is written.
final class RawRequestEncoder: ChannelOutboundHandler, RemovableChannelHandler {
  typealias OutboundIn = HTTPClientRequestPart
  typealias OutboundOut = ByteBuffer

  private let request: RawRequest

  init(_ request: RawRequest) {
    self.request = request
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard case .head = unwrapOutboundIn(data) else {
      promise?.succeed()
      return
    }
    context.write(wrapOutboundOut(ByteBuffer(bytes: request.bytes)), promise: promise)
  }
}
