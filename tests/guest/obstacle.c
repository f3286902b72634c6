/*
 * A process that holds what a checkpoint cannot keep, until it is killed: "obstacle KIND". It says when it does.
 *
 * Without the C library's wrappers where there is none: io_uring_setup(2).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Source: include/uapi/linux/io_uring.h, struct io_uring_params, whose fields are all 0 here. */
static int ring(void)
{
    char parameters[120] = {0};

    return (int)syscall(SYS_io_uring_setup, 1, parameters);
}

static int deleted(void)
{
    int file = open("/root/large", O_RDWR | O_CREAT, 0600);

    if (file < 0 || ftruncate(file, (64L << 20) + 1) != 0)
        return -1;
    return unlink("/root/large");
}

static int traced(void)
{
    pid_t child = fork();

    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        for (;;)
            pause();
    }
    if (child < 0 || waitpid(child, NULL, 0) != child)
        return -1;
    return (int)ptrace(PTRACE_CONT, child, 0, 0);
}

/* A file system that nobody serves any more when this process is gone. */
static int fuse(void)
{
    char options[100];
    int device = open("/dev/fuse", O_RDWR);

    if (device < 0)
        return -1;
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
    return mount("served", "/mnt", "fuse", 0, options);
}

static int hold(const char *kind)
{
    if (strcmp(kind, "ring") == 0)
        return ring();
    if (strcmp(kind, "socket") == 0)
        return socket(AF_VSOCK, SOCK_STREAM, 0);
    if (strcmp(kind, "deleted") == 0)
        return deleted();
    if (strcmp(kind, "traced") == 0)
        return traced();
    if (strcmp(kind, "fuse") == 0)
        return fuse();
    if (strcmp(kind, "view") == 0)
        return unshare(CLONE_NEWUTS | CLONE_NEWIPC);
    if (strcmp(kind, "groups") == 0)
        return unshare(CLONE_NEWCGROUP);
    if (strcmp(kind, "clocks") == 0)
        return unshare(CLONE_NEWTIME);
    return open(kind, O_RDWR);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    if (hold(argv[1]) < 0) {
        perror(argv[1]);
        return 1;
    }
    /* The second argument is a file that is there from now on. */
    if (close(creat(argv[2], 0600)) != 0)
        return 1;
    for (;;)
        pause();
}
