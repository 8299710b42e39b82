/// A run of consecutive, complete messages of a client, each turned into its echo: unmasked,
/// validated and written after its new header in one pass, without producing steps or keeping state
/// between messages.
///
/// The run continues as long as it finds frames that `ConnectionMachine` would deliver without
/// consulting the rules: FIN, text or binary, no reserved bit, masked, at most 64 KiB. It stops
/// before any other frame, which it leaves untouched: the machine then processes it normally, and
/// fails if it is invalid.
struct EchoRun {
  /// The number of bytes echoed from the front of the source.
  private(set) var taken = 0
  /// The size of the echoes in bytes, headers included.
  private(set) var written = 0
  private(set) var messages = 0
  /// The payload of the messages in bytes, without headers.
  private(set) var payload = 0
  /// The size of the last message on the wire, in bytes.
  private(set) var lastWire = 0

  /// - Parameters:
  ///   - source: Bytes from the client, starting with a frame. They are not changed.
  ///   - destination: Space of the same size: an echo has no masking key, so it is never longer.
  ///   - limit: The maximum size of a message in bytes.
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
      var size = (second & 0x7F).asInt
      var header = Self.shortHeader
      if size >= 126 {
        header = Self.mediumHeader
        guard size == 126, source.count &- taken >= header else { return }
        size = UInt16(bigEndian: frame.loadUnaligned(fromByteOffset: 2, as: UInt16.self)).asInt
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
  /// The lengths in bytes, with a masking key; `mediumHeader` has a 16-bit payload length.
  private static let shortHeader = 6
  private static let mediumHeader = 8

  /// "The minimal number of bytes MUST be used to encode the length" (RFC 6455 section 5.2),
  /// whatever the client used.
  @inline(__always)
  private static func writeHeader(
    _ first: UInt8, _ size: Int, to echo: UnsafeMutableRawPointer
  ) -> Int {
    echo.storeBytes(of: first, as: UInt8.self)
    guard size >= 126 else {
      echo.storeBytes(of: size.asUInt64.truncatedToUInt8, toByteOffset: 1, as: UInt8.self)
      return 2
    }
    echo.storeBytes(of: 126, toByteOffset: 1, as: UInt8.self)
    echo.storeBytes(of: size.asUInt64.truncatedToUInt16.bigEndian, toByteOffset: 2, as: UInt16.self)
    return 4
  }
}
