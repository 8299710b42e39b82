import NIOHTTP2

/// What is asked of a peer that speaks HTTP/2. Against floods of resets, empty frames and control frames
/// the library has limits of its own.
enum HTTP2Limits {
  /// How much may be on its way to us, on a stream and on all of a connection: with the 64 KiB of RFC 9113
  /// a large message would wait a round trip for every 64 KiB.
  static let window = 1 << 20

  /// Header fields may take as much as those of HTTP/1.1.
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
    // As a socket has them.
    streams.outboundBufferSizeHighWatermark = 64 * 1024
    streams.outboundBufferSizeLowWatermark = 32 * 1024
    return streams
  }
}
