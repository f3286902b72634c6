/*
 * The server of the rows about checkpoints: one process that holds memory and any number of connections. It says a dot on each every
 * 2 ms, and sends back whatever it gets.
 *
 *     server PORT MEBIBYTES
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 64, PAUSE = 2 };

/* Fill memory with what neither compresses nor repeats. */
static void fill(uint64_t *memory, size_t words)
{
    uint64_t value = 88172645463325252u;

    for (size_t at = 0; at < words; at++) {
        value ^= value << 13;
        value ^= value >> 7;
        value ^= value << 17;
        memory[at] = value;
    }
}

static long long milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int echo(int connection)
{
    char said[4096];
    ssize_t length = read(connection, said, sizeof said);

    return length > 0 && write(connection, said, (size_t)length) == length;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct pollfd polled[MOST];
    int yes = 1, used = 1;
    long long said = 0;

    if (argc != 3)
        return 2;
    size_t size = (size_t)atoi(argv[2]) << 20;
    uint64_t *memory = malloc(size);
    int listening = socket(AF_INET, SOCK_STREAM, 0);

    if (memory == NULL || listening < 0)
        return 1;
    signal(SIGPIPE, SIG_IGN);
    fill(memory, size / sizeof *memory);
    address.sin_port = htons((uint16_t)atoi(argv[1]));
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listening, (struct sockaddr *)&address, sizeof address) != 0 || listen(listening, MOST) != 0)
        return 1;
    polled[0] = (struct pollfd){.fd = listening, .events = POLLIN};
    for (;;) {
        int open = 1;

        /* It is interrupted when the server goes on from a checkpoint. */
        if (poll(polled, (nfds_t)used, PAUSE) < 0)
            continue;
        for (int at = 1; at < used; at++) {
            if (polled[at].revents == 0 || echo(polled[at].fd))
                polled[open++] = (struct pollfd){.fd = polled[at].fd, .events = POLLIN};
            else
                close(polled[at].fd);
        }
        used = open;
        if (polled[0].revents != 0 && used < MOST) {
            int connection = accept(listening, NULL, NULL);

            setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            polled[used++] = (struct pollfd){.fd = connection, .events = POLLIN};
        }
        if (milliseconds() - said >= PAUSE) {
            said = milliseconds();
            for (int at = 1; at < used; at++)
                send(polled[at].fd, ".", 1, MSG_DONTWAIT);
        }
    }
}
