import NIOHTTP2

/// Settings and limits for an HTTP/2 peer. The library has its own limits against floods of resets,
/// empty frames and control frames.
enum HTTP2Limits {
  /// The receive window in bytes, of a stream and of the connection: with the 64 KiB of RFC 9113 a
  /// large message would wait a round trip for every 64 KiB.
  static let window = 1 << 20

  /// Header fields have the same limit as in HTTP/1.1.
  static func settings(
    isServer: Bool, headLimits: HeadLimits = .standard
  ) -> HTTP2Settings {
    var settings: HTTP2Settings = [
      HTTP2Setting(parameter: .maxConcurrentStreams, value: 100),
      HTTP2Setting(parameter: .maxHeaderListSize, value: headLimits.head),
      HTTP2Setting(parameter: .initialWindowSize, value: window),
    ]
    settings.append(
      isServer
        ? HTTP2Setting(parameter: .enableConnectProtocol, value: 1)
        : HTTP2Setting(parameter: .enablePush, value: 0))
    return settings
  }

  static var streams: NIOHTTP2Handler.StreamConfiguration {
    var streams = NIOHTTP2Handler.StreamConfiguration()
    streams.targetWindowSize = window
    // The same marks as for a socket.
    streams.outboundBufferSizeHighWatermark = 64 * 1024
    streams.outboundBufferSizeLowWatermark = 32 * 1024
    return streams
  }
}
