package import struct NIOCore.ByteBuffer

/// One WebSocket connection after its handshake, as a value: bytes in, steps and bytes out.
///
/// Everything that changes the state of a connection is in this file, and both roles follow the
/// same rules. The machine reads no clock, owns no socket and generates no random numbers: the
/// driver passes windows of received bytes, pulls steps until there are no more, and takes `output`
/// away.
///
/// ```
/// open --- send(close) --> closeSent --- Close arrives --> closed
///   \----- Close arrives (we answer) ------------------->  closed
///   any of open, closeSent --- violation (Close out) --->  failed
/// ```
package struct ConnectionMachine {
  // Stored, although `keys` implies it: the optimiser of Swift 6.3.1 crashes if `keys` is queried
  // in the middle of `next`.
  package let role: Role
  package let limits: Limits
  /// Bytes for the peer, in order. The driver writes them to the transport and empties the buffer.
  /// It may also put an empty buffer with capacity here before it feeds the machine.
  package var output = ByteBuffer()
  /// The counters of the connection so far.
  package var traffic: Traffic {
    var traffic = counted
    // A frame is counted at its start; this subtracts an incomplete frame and its missing bytes.
    if isInsideFrame {
      traffic.framesIn &-= 1
      traffic.wireIn &-= remaining.asUInt64
    }
    traffic.wireIn &+= carried.asUInt64
    return traffic
  }
  /// Bytes on the wire, headers included, of the message that is being received or was delivered
  /// last.
  package private(set) var messageWire = 0
  /// The peer's Close frame, once received.
  package private(set) var closeReceived: CloseFrame?
  /// What to do with the transport once `output` is written. Stored, because computing it would
  /// copy the machine each time: the machine of a connection is a property of a class.
  package private(set) var demand = TransportDemand.keepOpen
  /// False breaks the protocol on purpose: pings are reported as always, and not answered.
  package var answersPings = true
  /// Set while the transport accepts no more. At most one pong is then pending, the answer to the
  /// latest ping ("may elect to send a Pong frame for only the most recently processed Ping frame",
  /// RFC 6455 section 5.5.3), so that a flood of pings from a peer that never reads costs no
  /// memory.
  package var isOutputBlocked = false {
    didSet { if !isOutputBlocked { writeWaitingPong() } }
  }

  private enum Phase {
    case open
    case closeSent
    case closed
    case failed
  }

  private var counted = Traffic()
  private let keys: MaskingKeys?
  private var phase = Phase.open {
    didSet {
      demand =
        switch (phase, role) {
        case (.closeSent, _): .awaitClose
        case (.closed, .client): .awaitEnd
        // A server's end, and a failure. There is no transition back to `open`.
        default: .closeOutput
        }
    }
  }
  private var failure: ProtocolViolation?
  private var initiator = CloseOutcome.Initiator.peer
  private var waitingPong: ByteBuffer?

  // The frame that is being received.
  private var isInsideFrame = false
  private var frame = FrameHeader(opcode: .continuation, payloadLength: 0)
  private var remaining = 0
  private var key: UInt32 = 0
  /// The beginning of a header that was split between two reads.
  private var carry: (UInt64, UInt64) = (0, 0)
  private var carried = 0

  // The message that is being assembled.
  private var isInsideMessage = false
  private var kind = MessageKind.binary
  private var fragments = 0
  private var text = UTF8Validator()
  private var assembly = ByteBuffer()
  private var controlPayload = ByteBuffer()
  /// Whether the last step pointed into `assembly` or `controlPayload`.
  private var holdsDelivered = false

  /// permessage-deflate, if negotiated in the handshake.
  private let compression: MessageCompression?
  private var isCompressed = false

  /// A client, which takes its masking keys from `keys`.
  package init(clientWith keys: MaskingKeys, limits: Limits, deflate: DeflateAgreement? = nil) {
    self.keys = keys
    role = .client
    self.limits = limits
    compression = deflate.map { MessageCompression($0) }
  }

  package init(serverWith limits: Limits, deflate: DeflateAgreement? = nil) {
    keys = nil
    role = .server
    self.limits = limits
    compression = deflate.map { MessageCompression($0) }
  }

  /// Counters of the compression; nil if it was not negotiated.
  package var compressionTraffic: CompressionTraffic? { compression?.traffic }

  /// Whether messages, pings and a Close can still be sent.
  package var isOpen: Bool { phase == .open }

  /// How the connection ended, given how its transport ended.
  package func outcome(_ end: TransportEnd) -> CloseOutcome {
    if let failure { return .failed(failure) }
    if let closeReceived { return .closed(frame: closeReceived, by: initiator) }
    return .lost(end)
  }

  // MARK: Receiving

  /// Takes bytes from the window until a step is complete. nil means that the window is used up and
  /// the machine needs more bytes.
  package mutating func next(_ window: inout ByteWindow) -> Step? {
    if holdsDelivered { releaseDelivered() }
    guard phase == .open || phase == .closeSent else {
      // "After receiving a Close or failing the connection, further data is discarded."
      // (RFC 6455 sections 1.4 and 7.1.7)
      counted.discarded &+= window.count.asUInt64
      _ = window.take(window.count)
      return nil
    }
    if !isInsideFrame, let step = wholeMessage(&window) { return step }
    while true {
      if !isInsideFrame {
        guard let (header, length) = readHeader(&window) else { return nil }
        let context = FrameRules.Context(
          role: role, limits: limits, isInsideMessage: isInsideMessage,
          messageSize: assembly.readableBytes, fragments: fragments,
          allowsCompression: compression != nil, isCompressed: isCompressed)
        if let violation = FrameRules.violation(of: header, in: context) {
          counted.wireIn &+= length.asUInt64
          return fail(violation)
        }
        begin(header, length: length)
      }
      let piece = window.take(remaining)
      remaining &-= piece.count
      unmask(piece)
      if frame.opcode.isControl {
        guard let payload = controlFrame(piece) else { return nil }
        return control(payload)
      }
      if isCompressed, let compression {
        if let step = inflate(UnsafeRawBufferPointer(piece), compression) { return step }
        guard remaining == 0 else { return nil }
        continue
      }
      // "the endpoint MUST fail the connection" at the first bad byte, not at the end of the text
      if kind == .text, !text.validate(UnsafeRawBufferPointer(piece)) {
        return failText(UnsafeRawBufferPointer(piece))
      }
      if remaining == 0, frame.isFinal, fragments == 1, assembly.readableBytes == 0 {
        return message(UnsafeRawBufferPointer(piece))
      }
      assembly.writeBytes(UnsafeRawBufferPointer(piece))
      guard remaining == 0 else { return nil }
      isInsideFrame = false
      if frame.isFinal {
        holdsDelivered = true
        return message(assembly.withUnsafeReadableBytes { $0 })
      }
    }
  }

  /// The fast path of most messages: one uncompressed frame of at most 64 KiB, entirely in the
  /// window. It takes nothing if the window starts with anything else, which is left to the rules.
  @inline(__always)
  private mutating func wholeMessage(_ window: inout ByteWindow) -> Step? {
    let bytes = window.remaining
    guard carried == 0, !isInsideMessage, bytes.count >= 2 else { return nil }
    let (first, second) = (bytes[0], bytes[1])
    // FIN and the opcode of a text or binary frame; the mask bit as the role requires.
    guard first == 0x81 || first == 0x82, (second & 0x80 != 0) == (role == .server) else {
      return nil
    }
    var length = 2
    var size = (second & 0x7F).asInt
    if size == 126 {
      guard bytes.count >= 4 else { return nil }
      size = UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)).asInt
      length = 4
    }
    let mask = role == .server ? 4 : 0
    guard size != 127, size <= limits.wholeSize, length &+ mask &+ size <= bytes.count else {
      return nil
    }
    if mask > 0 { key = bytes.loadUnaligned(fromByteOffset: length, as: UInt32.self) }
    messageWire = length &+ mask &+ size
    counted.framesIn &+= 1
    counted.wireIn &+= messageWire.asUInt64
    _ = window.take(length &+ mask)
    let payload = window.take(size)
    if mask > 0, let base = payload.baseAddress {
      Masking.apply(key, from: base, to: base, count: size)
    }
    kind = first == 0x81 ? .text : .binary
    if kind == .text, !text.validateWhole(UnsafeRawBufferPointer(payload)) {
      isInsideFrame = true
      return failText(UnsafeRawBufferPointer(payload))
    }
    counted.messagesIn &+= 1
    counted.payloadIn &+= size.asUInt64
    return .message(kind, UnsafeRawBufferPointer(payload))
  }

  /// Echoes a client's messages: takes complete, simple frames from the front of the window, and
  /// adds the echo of each to the output, as `next` and `send` would have done. The rest is left
  /// for `next`.
  ///
  /// - Returns: The number of messages echoed.
  package mutating func echo(_ window: inout ByteWindow) -> Int {
    guard role == .server, phase == .open, compression == nil, carried == 0, !isInsideFrame,
      !isInsideMessage, !window.isEmpty
    else { return 0 }
    let source = window.remaining
    if output.writableBytes < source.count {
      output.reserveCapacity(minimumWritableBytes: source.count)
    }
    let start = output.writerIndex
    let limit = limits.wholeSize
    let run = output.withVeryUnsafeMutableBytes { storage in
      EchoRun(of: source, into: storage.baseAddress?.advanced(by: start), limit: limit)
    }
    output.moveWriterIndex(forwardBy: run.written)
    _ = window.take(run.taken)
    if run.messages > 0 { messageWire = run.lastWire }
    counted.echoed(run)
    return run.messages
  }

  @inline(__always)
  private mutating func readHeader(
    _ window: inout ByteWindow
  ) -> (header: FrameHeader, length: Int)? {
    if carried == 0 {
      if case .header(let header, let length) = FrameHeader.read(window.remaining) {
        _ = window.take(length)
        return (header, length)
      }
      guard !window.isEmpty else { return nil }
    }
    return readCarriedHeader(&window)
  }

  /// Reads a header that did not arrive in one piece. It is assembled in `carry` byte by byte, so
  /// that no byte of the payload after it is taken.
  @inline(never)
  private mutating func readCarriedHeader(
    _ window: inout ByteWindow
  ) -> (header: FrameHeader, length: Int)? {
    var bytes = carry
    var count = carried
    let header: FrameHeader? = withUnsafeMutableBytes(of: &bytes) { bytes in
      while let byte = window.take(1).first {
        bytes[count] = byte
        count &+= 1
        let soFar = UnsafeRawBufferPointer(rebasing: bytes[..<count])
        if case .header(let header, _) = FrameHeader.read(soFar) { return header }
      }
      return nil
    }
    carry = bytes
    carried = header == nil ? count : 0
    return header.map { ($0, count) }
  }

  @inline(__always)
  private mutating func begin(_ header: FrameHeader, length: Int) {
    isInsideFrame = true
    frame = header
    key = header.maskingKey ?? 0
    // The rules have checked it against the limits.
    remaining = header.payloadLength.asInt
    counted.framesIn &+= 1
    counted.wireIn &+= (length &+ remaining).asUInt64
    guard !header.opcode.isControl else { return }
    if header.opcode != .continuation { messageWire = 0 }
    messageWire &+= length &+ remaining
    fragments &+= 1
    guard header.opcode != .continuation else { return }
    isInsideMessage = true
    isCompressed = header.reservedBits != 0
    kind = header.opcode == .text ? .text : .binary
  }

  @inline(__always)
  private mutating func unmask(_ piece: UnsafeMutableRawBufferPointer) {
    guard frame.maskingKey != nil, let base = piece.baseAddress else { return }
    Masking.apply(key, from: base, to: base, count: piece.count)
    if remaining > 0 { key = Masking.rotated(key, by: piece.count) }
  }

  @inline(__always)
  private mutating func message(_ payload: UnsafeRawBufferPointer) -> Step {
    // A frame with invalid text is not counted, wherever the invalid byte is.
    isInsideFrame = kind == .text && !text.isComplete
    if isInsideFrame {
      return failText(
        assembly.readableBytes == 0 ? payload : UnsafeRawBufferPointer(start: nil, count: 0))
    }
    isInsideMessage = false
    fragments = 0
    counted.messagesIn &+= 1
    counted.payloadIn &+= payload.count.asUInt64
    return .message(kind, payload)
  }

  /// Inflates a piece of a compressed message into `assembly`. Returns the message when it is
  /// complete, or the violation.
  @inline(never)
  private mutating func inflate(
    _ piece: UnsafeRawBufferPointer, _ compression: MessageCompression
  ) -> Step? {
    let before = assembly.readableBytes
    let isLast = remaining == 0 && frame.isFinal
    var failure: MessageInflater.Failure?
    do throws(MessageInflater.Failure) {
      try compression.inflate(
        piece, isLast: isLast, into: &assembly, limit: limits.messageSize)
    } catch {
      failure = error
    }
    // Output produced before the failure is checked first: which of two errors is reported must not
    // depend on how the bytes were split into reads.
    if kind == .text {
      let isValid = assembly.withUnsafeReadableBytes { bytes in
        text.validate(UnsafeRawBufferPointer(rebasing: bytes[before...]))
      }
      guard isValid else {
        let evidence = assembly.withUnsafeReadableBytes { bytes in
          InvalidUTF8(
            in: UnsafeRawBufferPointer(rebasing: bytes[before...]),
            after: UnsafeRawBufferPointer(rebasing: bytes[..<before]))
        }
        return fail(.textIsNotUTF8(evidence))
      }
    }
    switch failure {
    case .corrupt: return fail(.corruptCompression)
    case .tooBig: return fail(.inflatesBeyondLimit(limit: limits.messageSize))
    case nil: break
    }
    guard remaining == 0 else { return nil }
    isInsideFrame = false
    guard isLast else { return nil }
    isCompressed = false
    holdsDelivered = true
    return message(assembly.withUnsafeReadableBytes { $0 })
  }

  /// The payload of the control frame, once it is complete.
  private mutating func controlFrame(
    _ piece: UnsafeMutableRawBufferPointer
  ) -> UnsafeRawBufferPointer? {
    guard remaining > 0 || controlPayload.readableBytes > 0 else {
      isInsideFrame = false
      return UnsafeRawBufferPointer(piece)
    }
    controlPayload.writeBytes(UnsafeRawBufferPointer(piece))
    guard remaining == 0 else { return nil }
    isInsideFrame = false
    holdsDelivered = true
    return controlPayload.withUnsafeReadableBytes { $0 }
  }

  // Not inlined, like `close` and `fail`, to keep the code path of messages short.
  @inline(never)
  private mutating func control(_ payload: UnsafeRawBufferPointer) -> Step {
    switch frame.opcode {
    case .ping:
      answerPing(payload)
      return .ping(payload)
    case .pong:
      return .pong(payload)
    default:
      return close(payload)
    }
  }

  private mutating func answerPing(_ payload: UnsafeRawBufferPointer) {
    // "unless it already received a Close frame"; and nothing is sent after our own.
    guard phase == .open, answersPings else { return }
    if isOutputBlocked {
      waitingPong = ByteBuffer(bytes: payload)
    } else {
      write(.pong, payload)
    }
  }

  private mutating func writeWaitingPong() {
    guard let payload = waitingPong else { return }
    waitingPong = nil
    payload.withUnsafeReadableBytes { write(.pong, $0) }
  }

  @inline(never)
  private mutating func close(_ payload: UnsafeRawBufferPointer) -> Step {
    let received: CloseFrame
    do {
      received = try CloseFrame.read(payload)
    } catch {
      return fail(error)
    }
    closeReceived = received
    if phase == .open {
      initiator = .peer
      // "When sending a Close frame in response, the endpoint typically echos the status code it
      // received." (section 5.5.1)
      writeClose(CloseFrame(received.code))
    }
    phase = .closed
    return .close(received)
  }

  @inline(never)
  private mutating func fail(_ violation: ProtocolViolation) -> Step {
    failure = violation
    if phase == .open {
      initiator = .us
      writeClose(CloseFrame(violation.closeCode, reason: violation.reason))
    }
    phase = .failed
    assembly = ByteBuffer()
    compression?.release()
    return .violation(violation)
  }

  /// `piece` has revealed that the text is invalid; the text before it is in `assembly`.
  @inline(never)
  private mutating func failText(_ piece: UnsafeRawBufferPointer) -> Step {
    fail(.textIsNotUTF8(assembly.withUnsafeReadableBytes { InvalidUTF8(in: piece, after: $0) }))
  }

  private mutating func releaseDelivered() {
    holdsDelivered = false
    // Released, not kept: an idle connection holds no memory for its last message.
    if !isInsideMessage { assembly = ByteBuffer() }
    controlPayload = ByteBuffer()
  }

  // MARK: Sending

  /// Adds a message to the output as one frame. The caller guarantees that the payload of a `.text`
  /// is valid UTF-8.
  ///
  /// - Throws: `SendError.closing` when a Close has been sent or received.
  package mutating func send(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer
  ) throws(SendError) {
    guard phase == .open else { throw .closing }
    if let compression, !payload.isEmpty {
      writeCompressed(kind.opcode, payload, compression)
    } else {
      write(kind.opcode, payload)
    }
    counted.messagesOut &+= 1
    counted.payloadOut &+= payload.count.asUInt64
  }

  /// Adds a message in fragments to the output, uncompressed (RFC 6455 section 5.4).
  ///
  /// - Parameters:
  ///   - kind: Text or binary.
  ///   - payload: The message; text may be cut within a character.
  ///   - size: The maximum number of bytes in a fragment, at least 1.
  /// - Throws: `SendError.closing` as `send` does.
  package mutating func send(
    _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, inFragmentsOf size: Int
  ) throws(SendError) {
    guard phase == .open else { throw .closing }
    var opcode = kind.opcode
    var rest = payload[...]
    repeat {
      let fragment = rest.prefix(max(1, size))
      rest = rest.dropFirst(fragment.count)
      write(opcode, UnsafeRawBufferPointer(rebasing: fragment), isFinal: rest.isEmpty)
      opcode = .continuation
    } while !rest.isEmpty
    counted.messagesOut &+= 1
    counted.payloadOut &+= payload.count.asUInt64
  }

  /// Whether the frames of this connection are as those of others: not masked, not compressed.
  package var takesSharedFrames: Bool { keys == nil && compression == nil }

  /// Adds messages to the output that are encoded already, each as one frame. The connection must
  /// take shared frames.
  ///
  /// - Parameters:
  ///   - frames: The messages.
  ///   - parts: Positions of messages to leave out, in order.
  /// - Throws: `SendError.closing` as `send` does.
  package mutating func send(
    _ frames: SharedFrames, except parts: [SharedFrames.Part] = []
  ) throws(SendError) {
    try count(frames.totals(except: parts))
    frames.write(to: &output, except: parts)
  }

  /// Counts messages that the caller writes after the output: `send(_:except:)` without a copy.
  ///
  /// - Parameter totals: Those of the messages.
  /// - Throws: `SendError.closing` as `send` does.
  package mutating func count(_ totals: SharedFrames.Totals) throws(SendError) {
    guard phase == .open else { throw .closing }
    counted.messagesOut &+= totals.messages
    counted.payloadOut &+= totals.payload
    counted.framesOut &+= totals.messages
    counted.wireOut &+= totals.wire
  }

  /// Adds a ping to the output.
  ///
  /// - Throws: `SendError.controlFrameTooLong` over 125 bytes, `.closing` as `send` does.
  package mutating func sendPing(_ payload: UnsafeRawBufferPointer) throws(SendError) {
    try sendControl(.ping, payload)
  }

  /// Adds an unsolicited pong to the output (RFC 6455 section 5.5.3).
  ///
  /// - Throws: `SendError.controlFrameTooLong` over 125 bytes, `.closing` as `send` does.
  package mutating func sendPong(_ payload: UnsafeRawBufferPointer) throws(SendError) {
    try sendControl(.pong, payload)
  }

  private mutating func sendControl(
    _ opcode: Opcode, _ payload: UnsafeRawBufferPointer
  ) throws(SendError) {
    guard phase == .open else { throw .closing }
    guard payload.count <= 125 else { throw .controlFrameTooLong(payload.count) }
    write(opcode, payload)
  }

  /// Starts the closing handshake: adds a Close to the output. Nothing else is sent from now on.
  ///
  /// - Parameters:
  ///   - close: The code and the reason.
  ///   - allowsAnyCode: Whether the code may be one that is not allowed in a Close frame: a
  ///     deliberate violation, to test the peer's reaction.
  /// - Throws: `SendError.closing` when a Close has already been sent or received, `.closeCode` for
  ///   a code that is not allowed in a Close frame.
  package mutating func sendClose(
    _ close: CloseFrame, allowsAnyCode: Bool = false
  ) throws(SendError) {
    guard phase == .open else { throw .closing }
    if let code = close.code, !code.mayBeOnTheWire, !allowsAnyCode { throw .closeCode(code) }
    initiator = .us
    writeClose(close)
    phase = .closeSent
  }

  private mutating func writeClose(_ close: CloseFrame) {
    // Nothing is sent after a Close.
    waitingPong = nil
    close.body.withUnsafeBytes { write(.close, $0) }
  }

  /// Every message with a payload is compressed, including small ones: with context takeover they
  /// benefit most, and a user who negotiates compression wants to see it in use.
  @inline(never)
  private mutating func writeCompressed(
    _ opcode: Opcode, _ payload: UnsafeRawBufferPointer, _ compression: MessageCompression
  ) {
    guard let compressed = compression.deflate(payload) else {
      write(opcode, payload)
      return
    }
    compressed.withUnsafeReadableBytes { write(opcode, $0, reservedBits: 0x4) }
  }

  @inline(__always)
  private mutating func write(
    _ opcode: Opcode, _ payload: UnsafeRawBufferPointer, isFinal: Bool = true,
    reservedBits: UInt8 = 0
  ) {
    let header = FrameHeader(
      isFinal: isFinal, reservedBits: reservedBits, opcode: opcode, maskingKey: keys?.take(),
      payloadLength: payload.count.asUInt64)
    counted.framesOut &+= 1
    let length = output.writeFrame(header, payload)
    counted.wireOut &+= length.asUInt64
  }
}

extension ConnectionMachine {
  /// `send` for bytes in an array.
  ///
  /// - Throws: as `send` does.
  package mutating func send(_ kind: MessageKind, _ payload: [UInt8]) throws(SendError) {
    try payload.withUnsafeBufferPointer { bytes throws(SendError) in
      try send(kind, UnsafeRawBufferPointer(bytes))
    }
  }

  /// `sendPing` for bytes in an array.
  ///
  /// - Throws: as `sendPing` does.
  package mutating func sendPing(_ payload: [UInt8]) throws(SendError) {
    try payload.withUnsafeBufferPointer { bytes throws(SendError) in
      try sendPing(UnsafeRawBufferPointer(bytes))
    }
  }

  /// `sendPong` for bytes in an array.
  ///
  /// - Throws: as `sendPong` does.
  package mutating func sendPong(_ payload: [UInt8]) throws(SendError) {
    try payload.withUnsafeBufferPointer { bytes throws(SendError) in
      try sendPong(UnsafeRawBufferPointer(bytes))
    }
  }
}
