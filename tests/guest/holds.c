/* Holds on to what it is told to, a line at a time: "files 7" opens seven files and says "files 7" when it has. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAGE = 4096, DATAGRAM = 1000 };

static int must(int result, const char *what) {
    if (result < 0) {
        perror(what);
        exit(1);
    }
    return result;
}

static void *map(long pages, int flags) {
    void *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    must(memory == MAP_FAILED ? -1 : 0, "mmap");
    return memory;
}

static int local(int kind, struct sockaddr_in *address) {
    socklen_t size = sizeof *address;
    int one = must(socket(AF_INET, kind, 0), "socket");
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    must(bind(one, (struct sockaddr *)address, size), "bind");
    must(getsockname(one, (struct sockaddr *)address, &size), "getsockname");
    return one;
}

static int connected(struct sockaddr_in *address, int kind) {
    int one = must(socket(AF_INET, kind, 0), "socket");
    must(connect(one, (struct sockaddr *)address, sizeof *address), "connect");
    return one;
}

/* Sends bytes that nobody reads: they wait at the receiver if it has room for them, else at the sender. */
static void send_unread(long bytes, int receive_buffer) {
    struct sockaddr_in address;
    char *text = calloc(1, bytes);
    int listener = local(SOCK_STREAM, &address), sender, send_buffer = 1 << 20;
    must(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer), "rcvbuf");
    must(listen(listener, 1), "listen");
    sender = connected(&address, SOCK_STREAM);
    must(setsockopt(sender, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer), "sndbuf");
    must(accept(listener, NULL, NULL), "accept");
    for (long sent = 0; sent < bytes; sent += must(write(sender, text + sent, bytes - sent), "write"))
        ;
    free(text);
}

static void hold(const char *what, long amount) {
    struct sockaddr_in address;
    int pair[2];
    if (!strcmp(what, "files")) {
        while (amount--)
            dup(must(open("/etc/passwd", O_RDONLY), "open"));
    } else if (!strcmp(what, "names")) {
        char name[32];
        while (snprintf(name, sizeof name, "/root/name-%ld", amount), amount--)
            must(close(must(open(name, O_CREAT | O_WRONLY, 0600), "open")), "close");
    } else if (!strcmp(what, "processes")) {
        while (amount--)
            if (must(fork(), "fork") == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                    pause();
            }
    } else if (!strcmp(what, "private")) {
        map(amount, MAP_PRIVATE);
    } else if (!strcmp(what, "resident")) {
        memset(map(amount, MAP_PRIVATE | MAP_NORESERVE), 1, amount * PAGE);
    } else if (!strcmp(what, "shared")) {
        memset(map(amount, MAP_SHARED), 1, amount * PAGE);
    } else if (!strcmp(what, "locked")) {
        must(mlock(map(amount, MAP_PRIVATE), amount * PAGE), "mlock");
    } else if (!strcmp(what, "terminals")) {
        while (amount--)
            must(posix_openpt(O_RDWR | O_NOCTTY), "posix_openpt");
    } else if (!strcmp(what, "signals")) {
        while (amount--)
            must(sigqueue(getpid(), SIGRTMIN, (union sigval){0}), "sigqueue");
    } else if (!strcmp(what, "locks")) {
        int file = must(open("/tmp/locks", O_RDWR | O_CREAT, 0600), "open");
        for (long n = 0; n < amount; n++)
            must(fcntl(file, F_SETLK, &(struct flock){.l_type = F_WRLCK, .l_start = 2 * n, .l_len = 1}), "lock");
    } else if (!strcmp(what, "inherited-locks")) {
        /* As the program flock does for a shell: who takes the lock ends, and the file stays open. */
        while (amount--) {
            char name[] = "/tmp/lock-XXXXXX";
            int file = must(mkstemp(name), "mkstemp"), child = must(fork(), "fork");
            if (child == 0)
                _exit(flock(file, LOCK_EX));
            while (kill(child, 0) == 0)
                usleep(1000);
        }
    } else if (!strcmp(what, "tcp")) {
        while (amount--)
            must(socket(AF_INET6, SOCK_STREAM, 0), "socket");
    } else if (!strcmp(what, "backlog")) {
        must(listen(local(SOCK_STREAM, &address), amount), "listen");
        while (amount--)
            connected(&address, SOCK_STREAM);
    } else if (!strcmp(what, "pairs")) {
        while (amount--)
            must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
    } else if (!strcmp(what, "tcp-received")) {
        send_unread(amount, 1 << 20);
    } else if (!strcmp(what, "tcp-sent")) {
        send_unread(amount, 2048);
    } else if (!strcmp(what, "datagrams")) {
        int sender;
        local(SOCK_DGRAM, &address);
        sender = connected(&address, SOCK_DGRAM);
        while (amount--)
            must(write(sender, (char[DATAGRAM]){0}, DATAGRAM), "write");
    } else if (!strcmp(what, "local-bytes")) {
        char *text = calloc(1, amount);
        must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
        must(write(pair[0], text, amount) == amount ? 0 : -1, "write");
    } else {
        fprintf(stderr, "holds: what is %s?\n", what);
        exit(1);
    }
}

int main(void) {
    char what[32];
    long amount;
    struct rlimit files;
    must(getrlimit(RLIMIT_NOFILE, &files), "getrlimit");
    files.rlim_cur = files.rlim_max;
    must(setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGRTMIN);
    must(sigprocmask(SIG_BLOCK, &blocked, NULL), "sigprocmask");
    signal(SIGCHLD, SIG_IGN);
    while (scanf("%31s %ld", what, &amount) == 2) {
        hold(what, amount);
        printf("%s %ld\n", what, amount);
        fflush(stdout);
    }
    return 0;
}
