import Synchronization
import WebSocketNIO

/// Where redirects have led a connection that is being opened.
final class RedirectedPlace: Sendable {
  private let place: Mutex<ClientConfiguration>

  init(_ configuration: ClientConfiguration) {
    place = Mutex(configuration)
  }

  /// As the last redirect has left it.
  var configuration: ClientConfiguration { place.withLock { $0 } }

  /// `configuration`, which tells this of redirects too.
  func watching(_ configuration: ClientConfiguration) -> ClientConfiguration {
    var watched = configuration
    watched.redirected = { redirect in
      configuration.redirected?(redirect)
      self.place.withLock { $0 = redirect.configuration }
    }
    return watched
  }
}
