/* Counts in many pages at once and finds in each what it has written there last: else something that was written has been lost. It has
   the processor to itself for some seconds, then sleeps for one: so an emulator has no reason to forget what it knows of the pages.
   Says "lost" and ends then; else how often it has slept. */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / sizeof(uint64_t), PAGES = 2048, BUSY_SECONDS = 2, SLEEP_SECONDS = 1 };

static void tell(const char *path, const char *what, unsigned long slept) {
    char fresh[256];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *out = fopen(fresh, "w");
    if (out == NULL || fprintf(out, "%s %lu\n", what, slept) < 0 || fclose(out) != 0 || rename(fresh, path) != 0)
        exit(1);
}

static time_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

int main(int argc, char **argv) {
    const struct sched_param first = {.sched_priority = 99};
    volatile uint64_t *memory = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (argc != 2 || memory == MAP_FAILED || sched_setscheduler(0, SCHED_FIFO, &first) != 0)
        return 2;
    uint64_t count = 0;
    for (unsigned long slept = 0;; slept++) {
        tell(argv[1], "slept", slept);
        sleep(SLEEP_SECONDS);
        for (time_t end = now() + BUSY_SECONDS; now() < end; count++)
            for (int page = 0; page < PAGES; page++) {
                if (memory[page * WORDS] != count) {
                    tell(argv[1], "lost", slept);
                    return 1;
                }
                memory[page * WORDS] = count + 1;
            }
    }
}
