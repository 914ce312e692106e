// Kills its process at the n-th operation on files below a directory. Preloaded into test processes only.
//
// Counted: opening for writing, write (the first half of it is done), fsync, rename, link, unlink, rmdir, mkdir and
// truncate. chapbook_kill_at(n, directory) starts counting; n = 0 only counts.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char below[4096];
static atomic_long counted, wanted;
static atomic_int active;

void chapbook_kill_at(long number, const char *directory) {
    strncpy(below, directory, sizeof below - 1);
    atomic_store(&counted, 0);
    atomic_store(&wanted, number);
    atomic_store(&active, 1);
}

long chapbook_counted(void) { return atomic_load(&counted); }

static int path_is_ours(const char *path) {
    if (!path) return 0;
    char full[8192];
    if (path[0] != '/') {
        char here[4096];
        if (!getcwd(here, sizeof here)) return 0;
        snprintf(full, sizeof full, "%s/%s", here, path);
        path = full;
    }
    return strncmp(path, below, strlen(below)) == 0;
}

static int descriptor_is_ours(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return path_is_ours(path);
}

// Whether this operation is the one to die at.
static int is_the_one(int ours) {
    if (!atomic_load(&active) || !ours) return 0;
    return atomic_fetch_add(&counted, 1) + 1 == atomic_load(&wanted);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define ON_PATH(name, declared, called, path) \
    int name declared { \
        REAL(name); \
        if (active && is_the_one(path_is_ours(path))) die(); \
        return real called; \
    }

ON_PATH(rename, (const char *from, const char *to), (from, to), to)
ON_PATH(renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), to)
ON_PATH(link, (const char *from, const char *to), (from, to), to)
ON_PATH(unlink, (const char *path), (path), path)
ON_PATH(rmdir, (const char *path), (path), path)
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode), path)

// shutil.rmtree deletes relative to an open directory.
int unlinkat(int directory, const char *path, int flags) {
    REAL(unlinkat);
    if (active && is_the_one(path[0] == '/' ? path_is_ours(path) : directory == AT_FDCWD ? path_is_ours(path) : descriptor_is_ours(directory))) die();
    return real(directory, path, flags);
}

#define ON_DESCRIPTOR(name) \
    int name(int descriptor) { \
        REAL(name); \
        if (active && is_the_one(descriptor_is_ours(descriptor))) die(); \
        return real(descriptor); \
    }

ON_DESCRIPTOR(fsync)
ON_DESCRIPTOR(fdatasync)

ssize_t write(int descriptor, const void *content, size_t size) {
    REAL(write);
    if (active && is_the_one(descriptor_is_ours(descriptor))) {
        real(descriptor, content, size / 2);
        die();
    }
    return real(descriptor, content, size);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    REAL(writev);
    if (active && is_the_one(descriptor_is_ours(descriptor))) {
        write(descriptor, parts[0].iov_base, parts[0].iov_len / 2);
        die();
    }
    return real(descriptor, parts, count);
}

ssize_t pwrite64(int descriptor, const void *content, size_t size, off64_t offset) {
    REAL(pwrite64);
    if (active && is_the_one(descriptor_is_ours(descriptor))) {
        real(descriptor, content, size / 2, offset);
        die();
    }
    return real(descriptor, content, size, offset);
}

int ftruncate64(int descriptor, off64_t size) {
    REAL(ftruncate64);
    if (active && is_the_one(descriptor_is_ours(descriptor))) die();
    return real(descriptor, size);
}

#define ON_OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list arguments; \
            va_start(arguments, flags); \
            mode = va_arg(arguments, mode_t); \
            va_end(arguments); \
        } \
        if (active && (flags & (O_WRONLY | O_RDWR)) && is_the_one(path_is_ours(path))) die(); \
        return real(path, flags, mode); \
    }

ON_OPEN(open)
ON_OPEN(open64)
