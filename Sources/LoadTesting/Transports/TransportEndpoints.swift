package import NIOCore
import NIOHTTP1
package import WebSocketNIO
package import WebSocketProtocol

/// Where the paths under `/t/` are.
package struct TransportEndpoints: Sendable {
  /// The server; the target of the URL is not used.
  package var url: WebSocketURL
  /// Its addresses, of which the first is used.
  package var addresses: [SocketAddress]

  package init(url: WebSocketURL, addresses: [SocketAddress]) {
    self.url = url
    self.addresses = addresses
  }

  func webSocket(_ target: String) -> ClientConfiguration {
    var url = url
    url.target = target
    return ClientConfiguration(url: url)
  }

  func request(_ method: HTTPMethod, _ target: String) -> HTTPRequestHead {
    HTTPRequestHead(
      version: .http1_1, method: method, uri: target, headers: ["Host": url.hostField])
  }
}

/// Why an arm cannot be measured.
package enum TransportFailure: Error, Sendable {
  /// A connection could not be opened.
  case connect(ConnectError)
  /// The server has not answered a request as a server with these paths does.
  case answer(target: String, status: Int?)
  /// A connection ended too early.
  case ended(target: String)
}
