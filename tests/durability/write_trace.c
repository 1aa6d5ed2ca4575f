/* Preloaded into a program, writes down what it does to the files of one directory, in order.
 *
 * TRACE_DIRECTORY: the directory; TRACE_FILE: where to write, appended to. One record per call:
 *     kind (1 octet), length of path (2), path, offset (8), length of data (8), data
 * kinds: W write, T truncate to `offset`, S sync, U unlink, R rename (data is the new path). Little-endian.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int trace = -1;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int watched(const char *path) {
    const char *directory = getenv("TRACE_DIRECTORY");
    return directory && strncmp(path, directory, strlen(directory)) == 0;
}

static int watched_fd(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return watched(path);
}

static void record(char kind, const char *path, uint64_t offset, uint64_t length, const void *data) {
    uint16_t path_length = strlen(path);
    pthread_mutex_lock(&lock);
    if (trace < 0)
        trace = REAL(open)(getenv("TRACE_FILE"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    size_t size = 1 + 2 + path_length + 8 + 8 + length;
    char *octets = malloc(size), *at = octets;
    *at++ = kind;
    memcpy(at, &path_length, 2), at += 2;
    memcpy(at, path, path_length), at += path_length;
    memcpy(at, &offset, 8), at += 8;
    memcpy(at, &length, 8), at += 8;
    memcpy(at, data ? data : "", length);
    if (REAL(write)(trace, octets, size) != (ssize_t)size)
        abort();
    free(octets);
    pthread_mutex_unlock(&lock);
}

static void record_fd(char kind, int fd, uint64_t offset, uint64_t length, const void *data) {
    char path[4096];
    if (watched_fd(fd, path, sizeof path))
        record(kind, path, offset, length, data);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    ssize_t done = REAL(pwrite64)(fd, data, length, offset);
    if (done > 0)
        record_fd('W', fd, offset, done, data);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    ssize_t done = REAL(pwrite)(fd, data, length, offset);
    if (done > 0)
        record_fd('W', fd, offset, done, data);
    return done;
}

ssize_t write(int fd, const void *data, size_t length) {
    ssize_t done = REAL(write)(fd, data, length);
    if (done > 0 && fd > 2) {
        off_t end = lseek(fd, 0, SEEK_CUR);
        if (end >= 0)
            record_fd('W', fd, end - done, done, data);
    }
    return done;
}

int ftruncate64(int fd, off64_t length) {
    int result = REAL(ftruncate64)(fd, length);
    if (result == 0)
        record_fd('T', fd, length, 0, NULL);
    return result;
}

int ftruncate(int fd, off_t length) {
    int result = REAL(ftruncate)(fd, length);
    if (result == 0)
        record_fd('T', fd, length, 0, NULL);
    return result;
}

int fsync(int fd) {
    int result = REAL(fsync)(fd);
    if (result == 0)
        record_fd('S', fd, 0, 0, NULL);
    return result;
}

int fdatasync(int fd) {
    int result = REAL(fdatasync)(fd);
    if (result == 0)
        record_fd('S', fd, 0, 0, NULL);
    return result;
}

int unlink(const char *path) {
    int result = REAL(unlink)(path);
    if (result == 0 && watched(path))
        record('U', path, 0, 0, NULL);
    return result;
}

int rename(const char *from, const char *to) {
    int result = REAL(rename)(from, to);
    if (result == 0 && watched(from))
        record('R', from, 0, strlen(to), to);
    return result;
}
