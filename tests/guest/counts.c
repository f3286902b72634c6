/*
 * A server that a test holds a connection to: it fills memory, then answers every line with a number one higher than the
 * last, and whether its memory still holds what was put there.
 *
 *     counts PORT MEBIBYTES [shared]
 *
 * A line "+N" has it take and fill N MiB more before it answers, if its memory is not shared.
 *
 * If it is shared, another process counts in it all the time, and looks whether what it finds is what it has left there.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned char *memory;
static size_t size;

/* Behind the rest of the memory, if that is shared. */
static volatile struct {
    unsigned long count;
    int is_broken;
} *counted;

static void count_on(void)
{
    unsigned long left = 0;

    for (;; usleep(100)) {
        if (counted->count != left)
            counted->is_broken = 1;
        counted->count = ++left;
    }
}

static void fill(size_t from)
{
    for (size_t at = from; at < size; at += sizeof(unsigned)) {
        unsigned value = (unsigned)(at * 2654435761u);
        memcpy(memory + at, &value, sizeof value);
    }
}

static int is_whole(void)
{
    if (counted != NULL && (counted->is_broken || counted->count == 0))
        return 0;
    for (size_t at = 0; at < size; at += sizeof(unsigned)) {
        unsigned value = (unsigned)(at * 2654435761u);
        if (memcmp(memory + at, &value, sizeof value) != 0)
            return 0;
    }
    return 1;
}

static int grow(size_t more)
{
    unsigned char *moved = realloc(memory, size + more);

    if (moved == NULL)
        return 0;
    memory = moved;
    size += more;
    fill(size - more);
    return 1;
}

static void serve(int connection)
{
    FILE *in = fdopen(connection, "r");
    char line[256];
    unsigned long count = 0;

    while (in != NULL && fgets(line, sizeof line, in) != NULL) {
        if (line[0] == '+' && !grow((size_t)atoi(line + 1) << 20))
            return;
        dprintf(connection, "%lu %s\n", ++count, is_whole() ? "whole" : "broken");
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int listening = socket(AF_INET, SOCK_STREAM, 0), yes = 1;

    if (argc < 3 || listening < 0)
        return 2;
    address.sin_port = htons((unsigned short)atoi(argv[1]));
    size = (size_t)atoi(argv[2]) << 20;
    if (argc == 3) {
        memory = malloc(size);
    } else {
        memory = mmap(NULL, size + sizeof *counted, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        counted = (void *)(memory + size);
    }
    if (memory == NULL || memory == MAP_FAILED)
        return 1;
    fill(0);
    signal(SIGCHLD, SIG_IGN);
    if (counted != NULL && fork() == 0)
        count_on();
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listening, (struct sockaddr *)&address, sizeof address) != 0 || listen(listening, 64) != 0)
        return 1;
    for (;;) {
        int connection = accept(listening, NULL, NULL);

        if (connection < 0)
            return 1;
        if (fork() == 0) {
            serve(connection);
            return 0;
        }
        close(connection);
    }
}
