/*
 * Preloaded into a process, fails the k-th I/O call on the files that it is told to watch.
 *
 *   IO_SHIM_PLAN    path of a file with one line "K MODE ERROR": 1-based number of the call, once | ever, EIO | ENOSPC;
 *                   or "K slow MS": that call and all later ones succeed, but take so many milliseconds longer.
 *                   Calls are counted from when the file appears, so a test arms it when its workload begins
 *   IO_SHIM_REPORT  path of a file that gets one line a failed call: "K name path"
 *   IO_SHIM_PART    part of the path of watched files, and …
 *   IO_SHIM_END     … how it must end
 *
 * `once` fails the K-th call only, `ever` that and all later ones. Counted are the calls that change a file or make it
 * durable: write, writev, pwrite, pwritev, fsync, fdatasync, msync, ftruncate, fallocate. msync names no file, so it is
 * watched by the mapping's name in /proc/self/maps. Under its 64-bit names too: which one is called depends on how the
 * caller was compiled.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int armed = 0;
static unsigned long calls = 0, failing_call = 0;
static int for_ever = 0, error_number = EIO;
static long slow_ms = 0;

static int is_watched(const char *path) {
  const char *part = getenv("IO_SHIM_PART"), *end = getenv("IO_SHIM_END");
  if (part == NULL || end == NULL || strstr(path, part) == NULL) return 0;
  size_t length = strlen(path), end_length = strlen(end);
  return length >= end_length && strcmp(path + length - end_length, end) == 0;
}

static int read_plan(void) {
  const char *plan = getenv("IO_SHIM_PLAN");
  char mode[16], name[16], line[64];
  if (plan == NULL) return 0;
  /* Not by stdio: its own calls would come through here again. */
  int file = open(plan, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t size = read(file, line, sizeof line - 1);
  close(file);
  if (size <= 0) return 0;
  line[size] = 0;
  if (sscanf(line, "%lu %15s %15s", &failing_call, mode, name) != 3) return 0;
  for_ever = strcmp(mode, "once") != 0;
  if (strcmp(mode, "slow") == 0) slow_ms = atol(name);
  error_number = strcmp(name, "ENOSPC") == 0 ? ENOSPC : EIO;
  return 1;
}

static ssize_t (*real_write)(int, const void *, size_t);

static void report(const char *name, const char *path) {
  const char *target = getenv("IO_SHIM_REPORT");
  char line[600];
  if (target == NULL) return;
  int file = open(target, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return;
  int size = snprintf(line, sizeof line, "%lu %s %s\n", calls, name, path);
  if (!real_write) real_write = dlsym(RTLD_NEXT, "write");
  if (real_write(file, line, (size_t)size) != size) perror("io-shim: report");
  close(file);
}

/* Is this the call to fail? Leaves errno alone unless it is. */
static int fails_on(const char *name, const char *path) {
  int before = errno, fails = 0;
  if (!is_watched(path)) return 0;
  pthread_mutex_lock(&lock);
  if (!armed) armed = read_plan();
  if (armed) {
    calls++;
    fails = calls == failing_call || (for_ever && calls > failing_call);
    if (fails) report(name, path);
  }
  pthread_mutex_unlock(&lock);
  if (fails && slow_ms > 0) {
    struct timespec pause = {slow_ms / 1000, (slow_ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
    fails = 0;
  }
  errno = fails ? error_number : before;
  return fails;
}

static int fails(const char *name, int file) {
  int before = errno;
  char link[48], path[512];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t size = readlink(link, path, sizeof path - 1);
  errno = before;
  if (size <= 0) return 0;
  path[size] = 0;
  return fails_on(name, path);
}

#define REAL(result, name, ...)                                      \
  static result (*real)(__VA_ARGS__);                                \
  if (real == NULL) real = dlsym(RTLD_NEXT, name);

ssize_t write(int file, const void *bytes, size_t size) {
  if (real_write == NULL) real_write = dlsym(RTLD_NEXT, "write");
  return fails("write", file) ? -1 : real_write(file, bytes, size);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
  REAL(ssize_t, "writev", int, const struct iovec *, int)
  return fails("writev", file) ? -1 : real(file, parts, count);
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t at) {
  REAL(ssize_t, "pwrite", int, const void *, size_t, off_t)
  return fails("pwrite", file) ? -1 : real(file, bytes, size, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t)
  return fails("pwrite", file) ? -1 : real(file, bytes, size, at);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at) {
  REAL(ssize_t, "pwritev", int, const struct iovec *, int, off_t)
  return fails("pwritev", file) ? -1 : real(file, parts, count, at);
}

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t at) {
  REAL(ssize_t, "pwritev64", int, const struct iovec *, int, off64_t)
  return fails("pwritev", file) ? -1 : real(file, parts, count, at);
}

int fsync(int file) {
  REAL(int, "fsync", int)
  return fails("fsync", file) ? -1 : real(file);
}

int fdatasync(int file) {
  REAL(int, "fdatasync", int)
  return fails("fdatasync", file) ? -1 : real(file);
}

int ftruncate(int file, off_t size) {
  REAL(int, "ftruncate", int, off_t)
  return fails("ftruncate", file) ? -1 : real(file, size);
}

int ftruncate64(int file, off64_t size) {
  REAL(int, "ftruncate64", int, off64_t)
  return fails("ftruncate", file) ? -1 : real(file, size);
}

/* These two return the error instead of setting errno. */
int posix_fallocate(int file, off_t at, off_t size) {
  REAL(int, "posix_fallocate", int, off_t, off_t)
  return fails("fallocate", file) ? errno : real(file, at, size);
}

int posix_fallocate64(int file, off64_t at, off64_t size) {
  REAL(int, "posix_fallocate64", int, off64_t, off64_t)
  return fails("fallocate", file) ? errno : real(file, at, size);
}

static int mapping_fails(const void *address) {
  int before = errno;
  int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  FILE *maps = fdopen(file, "r");
  char line[1024], path[512];
  int failed = 0;
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
    unsigned long from, to;
    if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %511s", &from, &to, path) != 3) continue;
    if ((uintptr_t)address < from || (uintptr_t)address >= to) continue;
    errno = before;
    failed = fails_on("msync", path);
    break;
  }
  int after = failed ? errno : before;
  if (maps != NULL) fclose(maps);
  errno = after;
  return failed;
}

int msync(void *address, size_t size, int flags) {
  REAL(int, "msync", void *, size_t, int)
  return mapping_fails(address) ? -1 : real(address, size, flags);
}
