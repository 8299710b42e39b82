/* process_cost STDIN STDOUT COMMAND...: runs one command with those files; prints its wall time and peak memory as one JSON line.
 * In C, because a process forked from a larger one inherits that one's peak.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

int main(int count, char **words) {
  extern char **environ;
  struct timespec before, after;
  struct rusage usage;
  posix_spawn_file_actions_t files;
  pid_t child;
  int status, error;
  if (count < 4) return fprintf(stderr, "usage: process_cost STDIN STDOUT COMMAND...\n"), 2;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, words[1], O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, words[2], O_WRONLY | O_CREAT | O_TRUNC, 0600);
  clock_gettime(CLOCK_MONOTONIC, &before);
  if ((error = posix_spawnp(&child, words[3], &files, NULL, words + 3, environ)))
    return fprintf(stderr, "process_cost: %s: %s\n", words[3], strerror(error)), 2;
  if (wait4(child, &status, 0, &usage) != child) return perror("process_cost: wait4"), 2;
  clock_gettime(CLOCK_MONOTONIC, &after);
  printf("{\"ms\":%.3f,\"peak_kib\":%ld,\"exit\":%d}\n",
         (double)(after.tv_sec - before.tv_sec) * 1e3 + (double)(after.tv_nsec - before.tv_nsec) / 1e6, usage.ru_maxrss,
         WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
  return 0;
}
