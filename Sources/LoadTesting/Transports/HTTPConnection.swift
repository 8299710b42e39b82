import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import WebSocketNIO

/// A connection for HTTP/1.1 requests, one after the other. Used on its event loop only.
final class HTTPConnection: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart
  typealias OutboundOut = HTTPClientRequestPart

  struct Response {
    var status: Int
    var fields: HTTPHeaders
    var body: ByteBuffer
  }

  typealias Completion = (Result<Response, TransportFailure>) -> Void

  private var context: ChannelHandlerContext?
  private var target = ""
  private var completion: Completion?
  private var response: Response?
  /// Receives the pieces of a body that has no end, after its head.
  private var stream: ((ByteBuffer) -> Void)?
  private var ending: ((Int?) -> Void)?
  /// A second descriptor of the socket, whose counters outlive the channel.
  private var counted: Int32?

  /// Connects to the first address of the endpoints.
  static func open(
    _ endpoints: TransportEndpoints, on loop: any EventLoop,
    _ done: @escaping (Result<HTTPConnection, TransportFailure>) -> Void
  ) {
    guard let address = endpoints.addresses.first else {
      return done(.failure(.connect(.unreachable([]))))
    }
    ClientBootstrap(group: loop)
      .connect(to: address).assumeIsolated().whenComplete { result in
        switch result {
        case .success(let channel):
          let connection = HTTPConnection()
          do {
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(connection)
            done(.success(connection))
          } catch {
            done(.failure(.ended(target: "")))
          }
        case .failure(let error):
          done(
            .failure(.connect(.unreachable([ConnectError.Attempt(address: address, error)]))))
        }
      }
  }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  /// Sends a request. The completion is called once, with its response or why there is none.
  ///
  /// - Parameters:
  ///   - head: The request.
  ///   - body: Its body, whose length is added to the fields; nil for none.
  ///   - stream: Receives the pieces of the body; the completion is then called for the head.
  ///   - completion: Receives the response.
  func send(
    _ head: HTTPRequestHead, body: ByteBuffer? = nil, stream: ((ByteBuffer) -> Void)? = nil,
    _ completion: @escaping Completion
  ) {
    guard let context else { return completion(.failure(.ended(target: head.uri))) }
    var head = head
    target = head.uri
    self.completion = completion
    self.stream = stream
    if let body { head.headers.add(name: "Content-Length", value: "\(body.readableBytes)") }
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if let body { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  /// Ends our direction, and then the connection when the server has ended its own.
  ///
  /// - Parameter done: Receives what the whole connection has put on the wire in bytes; nil if that is not known.
  func finish(_ done: @escaping (Int?) -> Void) {
    guard let context else { return done(nil) }
    ending = done
    let copy = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
      of: NIOBSDSocket.Handle.self
    ) { fcntl($0, F_DUPFD_CLOEXEC, 0) }
    counted = (copy ?? nil).flatMap { $0 >= 0 ? $0 : nil }
    context.close(mode: .output, promise: nil)
  }

  /// Ends the connection at once.
  func close() {
    completion = nil
    context?.close(promise: nil)
  }

  /// What the connection has put on the wire so far in bytes; nil if that is not known.
  var wireBytes: Int? { traffic?.wireBytes }

  /// The IP and TCP headers of one segment in bytes; nil if they are not known.
  var headerSize: Int? { traffic?.headerSize }

  private var traffic: SocketTraffic? {
    let operations = context?.pipeline.syncOperations
    let traffic = try? operations?.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
      SocketTraffic.read($0)
    }
    return traffic ?? nil
  }

  // MARK: ChannelInboundHandler

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      let response = Response(
        status: Int(head.status.code), fields: head.headers, body: ByteBuffer())
      if stream == nil { self.response = response } else { complete(.success(response)) }
    case .body(let piece):
      if let stream { stream(piece) } else { response?.body.writeImmutableBuffer(piece) }
    case .end:
      guard let response else { return }
      self.response = nil
      complete(.success(response))
    }
  }

  private func complete(_ result: Result<Response, TransportFailure>) {
    let completion = completion
    self.completion = nil
    completion?(result)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    self.context = nil
    let traffic = counted.flatMap(SocketTraffic.read)
    if let counted { Glibc.close(counted) }
    counted = nil
    ending?(traffic?.wireBytes)
    ending = nil
    complete(.failure(.ended(target: target)))
  }
}
