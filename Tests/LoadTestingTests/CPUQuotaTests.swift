import TestPeers
import Testing

@testable import LoadTesting

@Suite(.blocking) struct CPUQuotaTests {
  private static let second = "0::/kube/pod/box\n"
  private static let first = "4:memory:/box\n2:cpuacct,cpu:/docker/box\n0::/\n"

  /// What /proc/self/cgroup tells, the files that are there, and the cores.
  static let rows: [(String, [String: String], Double?)] = [
    (second, [:], nil),
    (second, ["/sys/fs/cgroup/kube/pod/box/cpu.max": "max 100000\n"], nil),
    (second, ["/sys/fs/cgroup/kube/pod/box/cpu.max": "50000 100000\n"], 0.5),
    (
      second,
      [
        "/sys/fs/cgroup/kube/pod/box/cpu.max": "max 100000\n",
        "/sys/fs/cgroup/kube/pod/cpu.max": "250000 100000\n",
        "/sys/fs/cgroup/kube/cpu.max": "900000 100000\n",
      ], 2.5
    ),
    ("0::/\n", ["/sys/fs/cgroup/cpu.max": "150000 100000\n"], 1.5),
    (
      first,
      [
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "80000\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
      ], 0.8
    ),
    (
      first,
      [
        "/sys/fs/cgroup/cpu/docker/box/cpu.cfs_quota_us": "-1\n",
        "/sys/fs/cgroup/cpu/docker/box/cpu.cfs_period_us": "100000\n",
      ], nil
    ),
    (
      "2:cpuset:/box\n",
      [
        "/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "80000\n",
        "/sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
      ], nil
    ),
    (second, ["/sys/fs/cgroup/kube/pod/box/cpu.max": "50000 0\n"], nil),
    (second, ["/sys/fs/cgroup/kube/pod/box/cpu.max": ""], nil),
    ("", [:], nil),
    ("nonsense\n1:2\n", [:], nil),
  ]

  @Test(arguments: rows.indices) func isFoundInTheFiles(_ row: Int) {
    let (groups, files, cores) = Self.rows[row]
    #expect(CPUQuota.quota(groups: groups) { files[$0] } == cores)
  }

  @Test(
    "row 15: how often the limit stopped the process",
    arguments: [
      (
        second,
        [
          "/sys/fs/cgroup/kube/pod/box/cpu.max": "50000 100000\n",
          "/sys/fs/cgroup/kube/pod/box/cpu.stat":
            "usage_usec 9\nnr_periods 68\nnr_throttled 65\nthrottled_usec 5\n",
          "/sys/fs/cgroup/kube/cpu.max": "max 100000\n",
          "/sys/fs/cgroup/kube/cpu.stat": "nr_periods 1\nnr_throttled 900\n",
        ], CPUQuota.Throttling(periods: 68, throttled: 65)
      ),
      (
        first,
        [
          "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "80000\n",
          "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
          "/sys/fs/cgroup/cpu/cpu.stat": "nr_periods 10\nnr_throttled 2\n",
        ], CPUQuota.Throttling(periods: 10, throttled: 2)
      ),
      (second, ["/sys/fs/cgroup/kube/pod/box/cpu.max": "50000 100000\n"], nil),
      (second, ["/sys/fs/cgroup/kube/pod/box/cpu.stat": "nr_periods 1\nnr_throttled 1\n"], nil),
    ] as [(String, [String: String], CPUQuota.Throttling?)])
  func row15_throttlingIsFoundInTheFiles(
    groups: String, files: [String: String], throttling: CPUQuota.Throttling?
  ) {
    #expect(CPUQuota.throttling(groups: groups) { files[$0] } == throttling)
  }

  @Test(
    arguments: [
      (1, nil, true), (8, nil, true), (1, 0.8, false), (1, 1, false), (1, 2, true), (2, 2.9, false),
      (2, 3, true),
    ] as [(Int, Double?, Bool)])
  func loopsStayAwakeWhereACoreIsLeft(threads: Int, quota: Double?, stay: Bool) {
    var host = HostFacts()
    host.cores = 1
    host.cpuQuota = quota
    #expect(LoadPlan(seed: 1, threads: threads).staysAwake(on: host) == stay)
  }

  @Test(
    arguments: [
      (1, 1, 1, true), (2, 1, 2, false), (2, 1, 3, true), (2, 2, 4, false), (2, 2, 5, true),
      (54, 1, 2, false), (2, 1, nil, false),
    ] as [(Int, Int, Int?, Bool)])
  func shardsOfOneMachineStayAwakeWhereACoreIsLeft(
    shards: Int, threads: Int, cores: Int?, stay: Bool
  ) {
    var host = HostFacts()
    host.cores = cores
    let plan = LoadPlan(seed: 1, threads: threads, shard: .init(index: 0, count: shards))
    #expect(plan.staysAwake(on: host) == stay)
  }
}
