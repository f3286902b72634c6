/* What every workload shares: its command line, the clock, the end of the pass, its working
 * directory, the line it prints.
 *
 * A workload is called as
 *
 *     PROGRAM --seconds S [--dir DIR] [options of its own]
 *
 * repeats its one question for S seconds (a fraction is welcome), prints one JSON line on standard
 * output and ends with 0. It ends with 1 and one line on standard error when the question cannot be
 * answered, with 2 when it was asked wrongly. Working files live in a directory of its own below
 * DIR (default: here) and are gone when it ends, also by SIGTERM.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <signal.h>
#include <stddef.h>

/* An option of one program: "--name VALUE". */
struct measure_option {
	const char *name;
	const char **value;
};

/* Set by a timer when the seconds are over, and by SIGTERM. Loops test this and nothing else: a
 * look at the clock in every turn would be measured with them. */
extern volatile sig_atomic_t measure_over;

/* Read --seconds, --dir and the `count` options of the program itself; exit with 2 at anything
 * else. */
void measure_arguments(int argc, char **argv, const struct measure_option *options, size_t count);

/* What --seconds said. */
double measure_seconds(void);

/* The clock of the pass (CLOCK_MONOTONIC) and of the day, in seconds. */
double measure_clock(void);
double measure_realtime(void);

/* The pass begins here: note the time and set the timer. */
void measure_start(void);

/* The same for a pass that began in an earlier life of this process (execl); sets no timer. */
void measure_started_at(double clock, double realtime);

/* The pass ends here: note the time. Checks and cleaning up come after this. */
void measure_stop(void);

/* Print the result of `count` turns: value = count / (seconds / timebase); timebase 60 means "per
 * minute". */
void measure_report(const char *test, double count, int timebase, const char *unit);

/* Make the working directory and enter it. */
void measure_enter_work_dir(void);

/* The absolute path of `name` beside this program, in the bundle that it came with. */
char *measure_bundle_path(const char *name);

/* The absolute path of this program itself. */
const char *measure_own_path(void);

/* Start a program, with its output in the file `log` of the working directory (or nowhere, if
 * NULL), and wait for it. Return its exit status; a program that is killed counts as 128. */
int measure_run(char *const argv[], char *const environment[], const char *log);

/* Give up: one line with the reason on standard error, exit status 1 (fail) or 2 (usage). */
void measure_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void measure_usage(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
