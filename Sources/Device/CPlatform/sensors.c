#include "sensors.h"
#include "platform.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int kp_open_polled(const char *path) {
  return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

int64_t kp_folder_names(const char *path, char *names, size_t bytes) {
  DIR *folder = opendir(path);
  if (!folder) return -errno;
  size_t used = 0;
  struct dirent *entry;
  while ((entry = readdir(folder))) {
    size_t length = strlen(entry->d_name);
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (length + 1 > bytes - used) continue;
    memcpy(names + used, entry->d_name, length + 1);
    used += length + 1;
  }
  closedir(folder);
  return (int64_t)used;
}

int kp_firmware_property(int fd, uint32_t *message) {
  // Number 0 of the device's major number; the size in the request is that of a pointer.
  return ioctl(fd, _IOWR(100, 0, char *), message) < 0 ? errno : 0;
}

// Of them, those that idle threads asked for are none.
static int64_t switches_of(const struct rusage *usage, int all_threads) {
  int64_t count = (int64_t)usage->ru_nivcsw - (all_threads ? kp_given_way() : 0);
  return count > 0 ? count : 0;
}

int64_t kp_involuntary_switches(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0) return -1;
  return switches_of(&usage, 1);
}

kp_interruptions kp_interruptions_now(int all_threads) {
  struct rusage usage;
  if (getrusage(all_threads ? RUSAGE_SELF : RUSAGE_THREAD, &usage) != 0)
    return (kp_interruptions){0, 0};
  return (kp_interruptions){
      (uint64_t)usage.ru_majflt, (uint64_t)switches_of(&usage, all_threads)};
}

uint64_t kp_asleep_ns(void) {
  struct timespec with, without;
  if (clock_gettime(CLOCK_MONOTONIC, &without) != 0 || clock_gettime(CLOCK_BOOTTIME, &with) != 0)
    return 0;
  int64_t difference =
      (with.tv_sec - without.tv_sec) * 1000000000ll + (with.tv_nsec - without.tv_nsec);
  return difference > 0 ? (uint64_t)difference : 0;
}

int64_t kp_resident_bytes(uintptr_t address, size_t bytes) {
  unsigned char pages[4096];
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  uintptr_t at = address / page * page, end = (address + bytes + page - 1) / page * page;
  int64_t resident = 0;
  while (at < end) {
    size_t count = (end - at) / page < sizeof pages ? (end - at) / page : sizeof pages;
    if (mincore((void *)at, count * page, pages) != 0) return -1;
    for (size_t i = 0; i < count; i++) resident += pages[i] & 1 ? (int64_t)page : 0;
    at += count * page;
  }
  return resident;
}

int kp_rewind_if_shorter(int fd) {
  struct stat s;
  if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) return 0;
  if (lseek(fd, 0, SEEK_CUR) <= s.st_size) return 0;
  return lseek(fd, 0, SEEK_SET) == 0;
}

int64_t kp_seek_before_end(int fd, int64_t bytes) {
  struct stat s;
  if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) return -1;
  return lseek(fd, s.st_size > bytes ? s.st_size - bytes : 0, SEEK_SET);
}
