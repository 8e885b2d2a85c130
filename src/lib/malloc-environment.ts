/**
 * What glibc must be told before the process starts. Left alone it raises its mmap threshold to the largest block that
 * was ever freed, and from then on keeps large blocks in heaps that are never given back in pieces: values of 1 MiB
 * through LMDB's dirty pages make the process several times as large in seconds. The threshold is half of glibc's own, so
 * that the block of 64 KiB that a read from a socket takes goes back as well when a bad client has left it behind.
 */
export const MALLOC_ENVIRONMENT: Readonly<Record<string, string>> = {
  MALLOC_MMAP_THRESHOLD_: '65536',
  MALLOC_TRIM_THRESHOLD_: '131072',
};
