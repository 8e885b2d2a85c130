/*
 * Pulls the plug of one file system: from now on it accepts no change, and what was neither synced nor in its journal on
 * disk is lost, as if the power had failed. Unmount it, mount it again, and its journal is replayed.
 *
 *   power-off MOUNTPOINT
 *
 * Stop the writers first (SIGSTOP, until every thread stands still): a sync in flight may otherwise be answered as done
 * while the plug is pulled, which no real disk does. Only for file systems on loop devices that a test has made itself.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FS_IOC_SHUTDOWN _IOR('X', 125, uint32_t)
#define NO_LOG_FLUSH 2

int main(int count, char **arguments) {
  if (count != 2) {
    fprintf(stderr, "usage: power-off MOUNTPOINT\n");
    return 2;
  }
  int folder = open(arguments[1], O_RDONLY | O_DIRECTORY);
  if (folder < 0) {
    perror(arguments[1]);
    return 1;
  }
  uint32_t how = NO_LOG_FLUSH;
  if (ioctl(folder, FS_IOC_SHUTDOWN, &how) != 0) {
    perror("FS_IOC_SHUTDOWN");
    return 1;
  }
  close(folder);
  return 0;
}
