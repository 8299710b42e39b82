import Synchronization
import WebSocketNIO

/// The target of redirects of a connection that is being opened.
final class RedirectedEndpoint: Sendable {
  private let endpoint: Mutex<ClientConfiguration>

  init(_ configuration: ClientConfiguration) {
    endpoint = Mutex(configuration)
  }

  /// The configuration after the last redirect.
  var configuration: ClientConfiguration { endpoint.withLock { $0 } }

  /// A copy of `configuration` that also reports redirects to this object.
  func watching(_ configuration: ClientConfiguration) -> ClientConfiguration {
    var watched = configuration
    watched.redirected = { redirect in
      configuration.redirected?(redirect)
      self.endpoint.withLock { $0 = redirect.configuration }
    }
    return watched
  }
}
