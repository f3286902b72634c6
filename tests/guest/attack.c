/* Does to a guest's surroundings what a hostile root in it would, and says what became of it, a line for each thing:
 *
 *   attack call               what the kernel says to calls that are the node's alone: "NAME ok" or "NAME EPERM"
 *   attack write PATH...      every file there and below that it could open for writing; a number in it is changed
 *   attack take NAME          takes of something until there is no more, says "COUNT ERRNO", keeps it until its input ends
 *   attack hog NAME           takes of the memory until it is killed
 *   attack bomb               forks, and so does each that it forked
 *   attack burn N FROM TO     N processes count between two times of the monotonic clock: what they counted
 *   attack descriptors        where the descriptors that it was born with lead, and its directory
 *   attack files             what it may do to the files that it reads from and writes to, and leaves a child that goes on
 *   attack climb PATH         leaves its root as far up as it can, then looks for PATH
 *   attack process PID        what it may do to a process
 *   attack key NUMBER NAME    what it may do with a key
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/bpf.h>
#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/acct.h>
#include <sys/inotify.h>
#include <sys/io.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int make_device(mode_t kind, int major, int minor) {
    unlink("/tmp/device");
    return mknod("/tmp/device", kind | 0666, makedev(major, minor));
}

static int mount_new(const char *type) {
    mkdir("/tmp/mounted", 0755);
    return mount("none", "/tmp/mounted", type, 0, NULL);
}

static int disk(void) { return make_device(S_IFBLK, 8, 0); }
static int loop(void) { return make_device(S_IFBLK, 7, 0); }
static int loop_control(void) { return make_device(S_IFCHR, 10, 237); }
static int memory(void) { return make_device(S_IFCHR, 1, 1); }
static int null(void) { return make_device(S_IFCHR, 1, 3); }
static int kernel_log(void) { return make_device(S_IFCHR, 1, 11); }
static int devtmpfs(void) { return mount_new("devtmpfs"); }
static int debugfs(void) { return mount_new("debugfs"); }
static int tracefs(void) { return mount_new("tracefs"); }
static int securityfs(void) { return mount_new("securityfs"); }
static int ext4(void) { return mount_new("ext4"); }
static int btrfs(void) { return mount_new("btrfs"); }
static int init_module(void) { return syscall(SYS_init_module, "", 0L, ""); }
static int finit_module(void) { return syscall(SYS_finit_module, 0, "", 0); }
static int delete_module(void) { return syscall(SYS_delete_module, "loop", O_NONBLOCK); }
static int kexec_load(void) { return syscall(SYS_kexec_load, 0L, 0L, NULL, 0L); }
static int kexec_file_load(void) { return syscall(SYS_kexec_file_load, -1, -1, 0L, NULL, 0L); }
static int swap_on(void) { return swapon("/tmp/swap", 0); }
static int swap_off(void) { return swapoff("/tmp/swap"); }
static int accounting(void) { return acct("/tmp/accounting"); }
static int read_log(void) { return klogctl(3, (char[64]){0}, 64); }
static int io_ports(void) { return ioperm(0x80, 1, 1); }
static int io_level(void) { return iopl(3); }
static int niceness(void) { return setpriority(PRIO_PROCESS, 0, -20); }

static int real_time(void) {
    return sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
}

static int real_time_disk(void) {
    return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_RT, 0));
}

static int set_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return clock_settime(CLOCK_REALTIME, &now);
}

static int adjust_clock(void) {
    return adjtimex(&(struct timex){.modes = ADJ_TICK, .tick = 10000});
}

static int load_program(void) {
    struct bpf_insn leave[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
    union bpf_attr what = {
        .prog_type = BPF_PROG_TYPE_KPROBE,
        .insn_cnt = COUNT(leave),
        .insns = (unsigned long)leave,
        .license = (unsigned long)"GPL",
    };
    return syscall(SYS_bpf, BPF_PROG_LOAD, &what, sizeof what);
}

static int watch_processor(void) {
    struct perf_event_attr what = {.type = PERF_TYPE_SOFTWARE, .size = sizeof what};
    return syscall(SYS_perf_event_open, &what, -1, 0, -1, 0);
}

/* A handle of the root of the guest's file system: number 2 in most. */
static int open_handle(void) {
    struct {
        struct file_handle head;
        unsigned int inode[2];
    } handle = {.head = {.handle_bytes = 8, .handle_type = 1}, .inode = {2, 0}};
    return open_by_handle_at(AT_FDCWD, &handle.head, O_RDONLY);
}

static const struct {
    const char *name;
    int (*attempt)(void);
} calls[] = {
    {"mknod-disk", disk},
    {"mknod-loop", loop},
    {"mknod-loop-control", loop_control},
    {"mknod-memory", memory},
    {"mknod-null", null},
    {"mknod-kernel-log", kernel_log},
    {"mount-devtmpfs", devtmpfs},
    {"mount-debugfs", debugfs},
    {"mount-tracefs", tracefs},
    {"mount-securityfs", securityfs},
    {"mount-ext4", ext4},
    {"mount-btrfs", btrfs},
    {"init-module", init_module},
    {"finit-module", finit_module},
    {"delete-module", delete_module},
    {"kexec-load", kexec_load},
    {"kexec-file-load", kexec_file_load},
    {"swapon", swap_on},
    {"swapoff", swap_off},
    {"accounting", accounting},
    {"read-log", read_log},
    {"io-ports", io_ports},
    {"io-level", io_level},
    {"niceness", niceness},
    {"real-time", real_time},
    {"real-time-disk", real_time_disk},
    {"set-clock", set_clock},
    {"adjust-clock", adjust_clock},
    {"load-bpf", load_program},
    {"watch-processor", watch_processor},
    {"open-handle", open_handle},
};

static void say(const char *name, int result) {
    printf("%s %s\n", name, result < 0 ? strerrorname_np(errno) : "ok");
}

static void call_all(void) {
    for (size_t i = 0; i < COUNT(calls); i++)
        say(calls[i].name, calls[i].attempt());
}

static int write_one(const char *path, const struct stat *found, int kind, struct FTW *place) {
    char text[64];
    long number;
    int file, length;

    (void)found, (void)place;
    if (kind != FTW_F || (file = open(path, O_WRONLY | O_NONBLOCK)) < 0)
        return 0;
    puts(path);
    close(file);
    if ((file = open(path, O_RDWR | O_NONBLOCK)) < 0)
        return 0;
    length = read(file, text, sizeof text - 1);
    text[length < 0 ? 0 : length] = 0;
    if (sscanf(text, "%ld", &number) == 1) {
        length = sprintf(text, "%ld", number > 1 ? number - 1 : number + 1);
        if (pwrite(file, text, length, 0) < 0)
            printf("%s refuses %s\n", path, text);
    }
    close(file);
    return 0;
}

static int take_file(void) { return open("/dev/null", O_RDONLY); }
static int take_terminal(void) { return posix_openpt(O_RDWR | O_NOCTTY); }
static int take_inotify(void) { return inotify_init(); }
static int take_signal(void) { return sigqueue(getpid(), SIGRTMIN, (union sigval){0}); }

static int take_key(void) {
    static int number;
    char name[32];
    sprintf(name, "taken-%d", number++);
    return syscall(SYS_add_key, "user", name, "x", 1L, KEY_SPEC_SESSION_KEYRING);
}

static const struct {
    const char *name;
    int (*one)(void);
} goods[] = {
    {"files", take_file},       {"terminals", take_terminal}, {"inotify", take_inotify},
    {"signals", take_signal},   {"keys", take_key},
};

static void take(const char *name) {
    struct rlimit files;
    sigset_t blocked;
    long count = 0;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    for (size_t i = 0; i < COUNT(goods); i++)
        if (!strcmp(goods[i].name, name)) {
            while (goods[i].one() >= 0)
                count++;
            printf("%ld %s\n", count, strerrorname_np(errno));
        }
    fflush(stdout);
    while (getchar() != EOF)
        ;
}

/* Files in memory outlive who is killed for them, so they lie where nobody else looks: in mounts of its own. */
static void hog(const char *what) {
    char name[32], *page = calloc(1, 1 << 20);
    unshare(CLONE_NEWNS);
    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
    mount("none", "/tmp", "tmpfs", 0, "size=100%,nr_inodes=0");
    for (long n = 0; page; n++) {
        sprintf(name, "/tmp/%ld", n);
        if (!strcmp(what, "pages"))
            memset(page = malloc(1 << 20), 1, 1 << 20);
        else if (!strcmp(what, "inodes"))
            mkdir(name, 0700);
        else if (write(creat(name, 0600), page, 1 << 20) < 0)
            break;
    }
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void burn(int number, double from, double to) {
    volatile unsigned long *rounds =
        mmap(NULL, number * sizeof *rounds, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned long sum = 0;

    for (int i = 0; i < number; i++)
        if (fork() == 0) {
            while (now() < from)
                ;
            while (now() < to)
                rounds[i]++;
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    for (int i = 0; i < number; i++)
        sum += rounds[i];
    printf("%lu\n", sum);
}

static void descriptors(void) {
    char path[64], text[4096] = "";
    struct stat root, terminals, found;

    stat("/", &root);
    stat("/dev/pts", &terminals);
    for (int fd = -1; fd < 4096; fd++) {
        if (fd < 0 ? stat(".", &found) : fstat(fd, &found))
            continue;
        sprintf(path, fd < 0 ? "/proc/self/cwd" : "/proc/self/fd/%d", fd);
        text[readlink(path, text, sizeof text - 1)] = 0;
        if (found.st_dev == root.st_dev || found.st_dev == terminals.st_dev)
            strcpy(text, "own");
        printf("%d %s\n", fd, text);
    }
}

static void files(void) {
    say("empty", ftruncate(1, 0));
    fcntl(1, F_SETFL, 0);
    say("back", lseek(1, 0, SEEK_SET));
    say("again", lseek(0, 0, SEEK_SET));
    for (int got; (got = getchar()) != EOF;)
        putchar(got);
    fflush(stdout);
    if (fork())
        return;
    while (write(1, "child\n", 6) > 0)
        usleep(1000);
}

static void climb(const char *wanted) {
    struct stat found;
    unshare(CLONE_NEWNS);
    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
    mkdir("/tmp/step", 0755);
    umount2("/", MNT_DETACH);
    chroot("/tmp/step");
    for (int n = 0; n < 64; n++)
        chdir("..");
    chroot(".");
    say("find", stat(wanted, &found));
}

static void touch_process(int pid) {
    static char text[1];
    say("signal", kill(pid, 0));
    say("trace", ptrace(PTRACE_SEIZE, pid, NULL, NULL));
    say("read", process_vm_readv(pid, &(struct iovec){text, 1}, 1, &(struct iovec){text, 1}, 1, 0));
    say("bind", syscall(SYS_sched_setaffinity, pid, 8L, &(long){1}));
    say("limit", syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, NULL, NULL));
    say("open", syscall(SYS_pidfd_open, pid, 0));
}

static void touch_key(int number, const char *name) {
    char text[256];
    say("describe", syscall(SYS_keyctl, KEYCTL_DESCRIBE, number, text, sizeof text));
    say("read", syscall(SYS_keyctl, KEYCTL_READ, number, text, sizeof text));
    say("link", syscall(SYS_keyctl, KEYCTL_LINK, number, KEY_SPEC_SESSION_KEYRING));
    say("permit", syscall(SYS_keyctl, KEYCTL_SETPERM, number, 0x3f3f3f3f));
    say("revoke", syscall(SYS_keyctl, KEYCTL_REVOKE, number));
    say("request", syscall(SYS_request_key, "user", name, NULL, 0));
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "call"))
        call_all();
    else if (!strcmp(what, "write"))
        for (int i = 2; i < argc; i++)
            nftw(argv[i], write_one, 32, FTW_PHYS);
    else if (!strcmp(what, "take") && argc == 3)
        take(argv[2]);
    else if (!strcmp(what, "hog") && argc == 3)
        hog(argv[2]);
    else if (!strcmp(what, "bomb"))
        for (;;)
            fork();
    else if (!strcmp(what, "burn") && argc == 5)
        burn(atoi(argv[2]), atof(argv[3]), atof(argv[4]));
    else if (!strcmp(what, "descriptors"))
        descriptors();
    else if (!strcmp(what, "files"))
        files();
    else if (!strcmp(what, "climb") && argc == 3)
        climb(argv[2]);
    else if (!strcmp(what, "process") && argc == 3)
        touch_process(atoi(argv[2]));
    else if (!strcmp(what, "key") && argc == 4)
        touch_key(atoi(argv[2]), argv[3]);
    else
        return 2;
    return 0;
}
