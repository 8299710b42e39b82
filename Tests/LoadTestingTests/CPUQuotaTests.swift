import Testing

@testable import LoadTesting

@Suite struct CPUQuotaTests {
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
