import Synchronization
import WebSocketNIO

/// The target of redirects of a connection that is being opened.
final class RedirectedPlace: Sendable {
  private let place: Mutex<ClientConfiguration>

  init(_ configuration: ClientConfiguration) {
    place = Mutex(configuration)
  }

  /// The configuration after the last redirect.
  var configuration: ClientConfiguration { place.withLock { $0 } }

  /// A copy of `configuration` that also reports redirects to this object.
  func watching(_ configuration: ClientConfiguration) -> ClientConfiguration {
    var watched = configuration
    watched.redirected = { redirect in
      configuration.redirected?(redirect)
      self.place.withLock { $0 = redirect.configuration }
    }
    return watched
  }
}
