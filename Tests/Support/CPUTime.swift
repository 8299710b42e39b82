import Glibc

/// The time of a processor that this thread spends on `body`: a bound on it proves linear work, however
/// many others want the processor. A test's time limit does not, since it also counts how long the test
/// waits for a thread.
package func cpuTime<Failure>(of body: () throws(Failure) -> Void) throws(Failure) -> Duration {
  let start = threadTime()
  try body()
  return threadTime() - start
}

private func threadTime() -> Duration {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
}
