import NIOCore

/// The clients of all event loops, for those that are not on them.
struct ServedClients: Sendable {
  let registries: [NIOLoopBound<ClientRegistry>]

  /// Acts on clients, after earlier actions.
  ///
  /// - Returns: The number of clients on which the action was performed; 0 if none of them is open.
  func perform(_ action: ClientAction, on selection: ClientSelection) async -> Int {
    var count = 0
    for registry in registries {
      // A loop that has stopped has no clients.
      count +=
        (try? await registry.eventLoop.submit { registry.value.perform(action, on: selection) }
          .get())
        ?? 0
    }
    return count
  }

  /// The open clients, by their numbers.
  var open: [OpenClient] {
    get async {
      var clients: [OpenClient] = []
      for registry in registries {
        clients += (try? await registry.eventLoop.submit { registry.value.openClients }.get()) ?? []
      }
      return clients.sorted { $0.number < $1.number }
    }
  }
}
