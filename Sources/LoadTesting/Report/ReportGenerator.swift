import Conversation

extension SelfCheck {
  func write(to json: inout JSONWriter) {
    json.member("cpu_busiest_loop", busiestLoop)
    json.member("cpu_awake", awake)
    json.member("cpu_host", host)
    json.member("loop_delay_p99", loopDelayP99)
    json.member("fds_used", files?.used)
    json.member("fds_limit", files?.limit)
    json.member("cpu_periods", throttling?.periods)
    json.member("cpu_periods_throttled", throttling?.throttled)
    json.member("latency_drift", latency.change)
    json.member("throughput_drift", throughput.change)
    json.member("answered_in_window_share", backlog)
  }

  init(_ json: ResultValue) throws(ResultError) {
    self.init(
      busiestLoop: try json.optionalNumber("cpu_busiest_loop"),
      awake: try json.member("cpu_awake").number(), host: try json.optionalNumber("cpu_host"),
      loopDelayP99: try json.optionalInteger("loop_delay_p99"),
      latency: Steadiness(change: try json.optionalNumber("latency_drift")),
      throughput: Steadiness(change: try json.optionalNumber("throughput_drift")),
      backlog: try json.optionalNumber("answered_in_window_share"))
    if let used = try json.optionalInteger("fds_used", Int.self) {
      files = Files(used: used, limit: try json.member("fds_limit").integer())
    }
    if let periods = try json.optionalInteger("cpu_periods", Int.self) {
      throttling = Throttling(
        periods: periods, throttled: try json.member("cpu_periods_throttled").integer())
    }
  }
}

extension Steadiness {
  /// The relative change; 0 if steady, nil if unknown.
  fileprivate var change: Double? {
    switch self {
    case .unknown: nil
    case .steady: 0
    case .drifting(let change): change
    }
  }

  fileprivate init(change: Double?) {
    switch change {
    case nil: self = .unknown
    case 0?: self = .steady
    case let change?: self = .drifting(change)
    }
  }
}

extension HostFacts {
  func write(to json: inout JSONWriter) {
    json.member("host", name)
    json.member("os", system)
    json.member("kernel", kernel)
    json.member("machine", machine)
    json.member("cpu", processor)
    json.member("cores", cores)
    json.member("cpu_quota", cpuQuota)
    json.member("governor", governor)
    json.member("memory", memory)
    json.member("fd_limit", fileLimit)
    json.member("fd_limit_hard", fileLimitHard)
    json.key("ports")
    if let portRange {
      json.array([portRange.lowerBound, portRange.upperBound]) { $0.integer($1) }
    } else {
      json.null()
    }
    json.member("somaxconn", listenBacklog)
    json.member("congestion_control", congestionControl)
  }

  init(_ json: ResultValue) throws(ResultError) {
    self.init()
    name = try json.optionalText("host")
    system = try json.optionalText("os")
    kernel = try json.optionalText("kernel")
    machine = try json.optionalText("machine")
    processor = try json.optionalText("cpu")
    cores = try json.optionalInteger("cores")
    cpuQuota = try json.optionalNumber("cpu_quota")
    governor = try json.optionalText("governor")
    memory = try json.optionalInteger("memory")
    fileLimit = try json.optionalInteger("fd_limit")
    fileLimitHard = try json.optionalInteger("fd_limit_hard")
    portRange = try json.optional("ports") { ports throws(ResultError) in
      let ends = try ports.elements()
      guard ends.count == 2 else { throw ports.error("not two numbers") }
      let (first, last): (Int, Int) = (try ends[0].integer(), try ends[1].integer())
      guard first <= last else { throw ports.error("not in order") }
      return first...last
    }
    listenBacklog = try json.optionalInteger("somaxconn")
    congestionControl = try json.optionalText("congestion_control")
  }
}
