/// Messages of a client that lie whole one behind the other, each turned into its echo: unmasked, judged
/// and put behind its new header in one pass, with no step told and nothing kept between two of them.
///
/// It goes on as long as it meets frames that `ConnectionMachine` would deliver without asking the
/// rules: FIN, text or binary, no reserved bit, masked, not over 64 KiB. Before everything else it
/// stops, with that frame untouched: the machine takes it the long way, and fails what is wrong.
struct EchoRun {
  /// Bytes from the front of the source that are echoed.
  private(set) var taken = 0
  /// Bytes of the echoes, headers included.
  private(set) var written = 0
  private(set) var messages = 0
  /// Bytes of the messages without their headers.
  private(set) var payload = 0
  /// Bytes on the wire of the last message.
  private(set) var lastWire = 0

  /// - Parameters:
  ///   - source: What the client has sent, from the beginning of a frame on. It is not changed.
  ///   - destination: Room for as many bytes: an echo has no masking key, and so is never longer.
  ///   - limit: The largest message, in bytes.
  @inline(__always)
  init(
    of source: UnsafeRawBufferPointer, into destination: UnsafeMutableRawPointer?, limit: Int
  ) {
    while source.count &- taken >= Self.shortHeader,
      let frame = source.baseAddress?.advanced(by: taken),
      let echo = destination?.advanced(by: written)
    {
      let first = frame.load(as: UInt8.self)
      let second = frame.load(fromByteOffset: 1, as: UInt8.self)
      guard first == Self.text || first == Self.binary, second >= 0x80 else { return }
      var size = (second & 0x7F).signed
      var header = Self.shortHeader
      if size >= 126 {
        header = Self.mediumHeader
        guard size == 126, source.count &- taken >= header else { return }
        size = UInt16(bigEndian: frame.loadUnaligned(fromByteOffset: 2, as: UInt16.self)).signed
      }
      guard size <= limit, header &+ size <= source.count &- taken else { return }
      let key = frame.loadUnaligned(fromByteOffset: header &- 4, as: UInt32.self)
      let body = echo + Self.writeHeader(first, size, to: echo)
      Masking.apply(key, from: frame + header, to: body, count: size)
      if first == Self.text {
        var text = UTF8Validator()
        guard text.validateWhole(UnsafeRawBufferPointer(start: body, count: size)) else { return }
      }
      lastWire = header &+ size
      taken &+= lastWire
      written &+= body - echo &+ size
      messages &+= 1
      payload &+= size
    }
  }

  /// FIN with the opcode.
  private static let text: UInt8 = 0x81
  private static let binary: UInt8 = 0x82
  /// With a masking key; the second has a length of 16 bits.
  private static let shortHeader = 6
  private static let mediumHeader = 8

  /// "The minimal number of bytes MUST be used to encode the length" (RFC 6455 section 5.2), however the
  /// client has done it.
  @inline(__always)
  private static func writeHeader(
    _ first: UInt8, _ size: Int, to echo: UnsafeMutableRawPointer
  ) -> Int {
    echo.storeBytes(of: first, as: UInt8.self)
    guard size >= 126 else {
      echo.storeBytes(of: size.unsigned64.low8, toByteOffset: 1, as: UInt8.self)
      return 2
    }
    echo.storeBytes(of: 126, toByteOffset: 1, as: UInt8.self)
    echo.storeBytes(of: size.unsigned64.low16.bigEndian, toByteOffset: 2, as: UInt16.self)
    return 4
  }
}
