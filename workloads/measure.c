#define _GNU_SOURCE
#include "measure.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

volatile sig_atomic_t measure_over;

static volatile sig_atomic_t caught_signal;
static volatile sig_atomic_t running_child;

static char own_path[PATH_MAX];
static char work_dir[PATH_MAX];
static const char *parent_dir = ".";
static double wanted_seconds;
static double started, started_realtime, ended;

static double read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

double measure_clock(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

double measure_realtime(void)
{
	return read_clock(CLOCK_REALTIME);
}

double measure_seconds(void)
{
	return wanted_seconds;
}

/* Remove the working directory, which is flat. Called by exit(), so children must leave by _exit(). */
static void remove_work_dir(void)
{
	DIR *entries = opendir(work_dir);
	struct dirent *entry;

	if (!entries)
		return;
	while ((entry = readdir(entries)))
		unlinkat(dirfd(entries), entry->d_name, 0);
	closedir(entries);
	rmdir(work_dir);
}

/* End as the signal would have ended us, but with the working directory gone. */
static void die_of_signal(void)
{
	if (work_dir[0])
		remove_work_dir();
	signal(caught_signal, SIG_DFL);
	raise(caught_signal);
}

static void complain(const char *format, va_list values)
{
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, values);
	fputc('\n', stderr);
}

void measure_fail(const char *format, ...)
{
	va_list values;

	if (caught_signal)
		die_of_signal();
	va_start(values, format);
	complain(format, values);
	va_end(values);
	exit(1);
}

void measure_usage(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	complain(format, values);
	va_end(values);
	exit(2);
}

static void on_time_over(int number)
{
	(void)number;
	measure_over = 1;
}

static void on_signal(int number)
{
	caught_signal = number;
	measure_over = 1;
	if (running_child)
		kill(-running_child, SIGKILL);
}

/* Calls go on after a handler: every loop comes round by itself, so none has to know of EINTR. */
static void handle(int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

	sigaction(number, &action, NULL);
}

/* NaN and infinity cannot be tested for under -ffast-math, so the text is looked at instead. */
static double parse_seconds(const char *text)
{
	double seconds;
	char *end;

	if (strspn(text, "0123456789.") != strlen(text))
		measure_usage("--seconds %s is not a number of seconds", text);
	seconds = strtod(text, &end);
	if (end == text || *end || seconds < 0.01 || seconds > 3600)
		measure_usage("--seconds %s is not between 0.01 and 3600", text);
	return seconds;
}

/* execl asks in each of its lives, so an absolute path is believed without walking it. */
static void find_own_path(const char *called)
{
	if (called[0] == '/' && strlen(called) < sizeof own_path)
		strcpy(own_path, called);
	else if (!strchr(called, '/') || !realpath(called, own_path))
		measure_usage("call this program by its path, not as %s", called);
}

void measure_arguments(int argc, char **argv, const struct measure_option *options, size_t count)
{
	for (int i = 1; i < argc; i += 2) {
		const char *value = argv[i + 1];
		size_t known = 0;

		if (strncmp(argv[i], "--", 2) != 0)
			measure_usage("%s is not an option", argv[i]);
		if (!value)
			measure_usage("%s lacks its value", argv[i]);
		if (strcmp(argv[i], "--seconds") == 0) {
			wanted_seconds = parse_seconds(value);
			continue;
		}
		if (strcmp(argv[i], "--dir") == 0) {
			parent_dir = value;
			continue;
		}
		while (known < count && strcmp(argv[i], options[known].name) != 0)
			known++;
		if (known == count)
			measure_usage("there is no option %s", argv[i]);
		*options[known].value = value;
	}
	if (wanted_seconds == 0)
		measure_usage("--seconds is missing");
	find_own_path(argv[0]);
	handle(SIGTERM, on_signal);
	handle(SIGINT, on_signal);
	handle(SIGHUP, on_signal);
	handle(SIGALRM, on_time_over);
}

const char *measure_own_path(void)
{
	return own_path;
}

char *measure_bundle_path(const char *name)
{
	int directory = strrchr(own_path, '/') - own_path;
	char *path;

	if (asprintf(&path, "%.*s/%s", directory, own_path, name) < 0)
		measure_fail("out of memory");
	if (access(path, R_OK) != 0)
		measure_fail("%s: %s", path, strerror(errno));
	return path;
}

void measure_enter_work_dir(void)
{
	char parent[PATH_MAX];
	char path[PATH_MAX];

	if (!realpath(parent_dir, parent))
		measure_fail("%s: %s", parent_dir, strerror(errno));
	if (snprintf(path, sizeof path, "%s/wirt-XXXXXX", parent) >= (int)sizeof path)
		measure_fail("%s: the name is too long", parent);
	if (!mkdtemp(path))
		measure_fail("cannot make a directory in %s: %s", parent, strerror(errno));
	strcpy(work_dir, path);
	atexit(remove_work_dir);
	if (chdir(work_dir) != 0)
		measure_fail("%s: %s", work_dir, strerror(errno));
	/* Processes that outlive the child we started become ours, so that none writes here while
	 * we clean up. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void measure_start(void)
{
	double whole = (double)(long)wanted_seconds;
	struct itimerval timer = {
		.it_value = { .tv_sec = (long)whole, .tv_usec = (long)((wanted_seconds - whole) * 1e6) },
	};

	measure_started_at(measure_clock(), measure_realtime());
	setitimer(ITIMER_REAL, &timer, NULL);
}

void measure_started_at(double clock, double realtime)
{
	started = clock;
	started_realtime = realtime;
}

void measure_stop(void)
{
	ended = measure_clock();
	if (caught_signal)
		die_of_signal();
}

void measure_report(const char *test, double count, int timebase, const char *unit)
{
	double seconds = ended - started;

	printf("{\"test\":\"%s\",\"count\":%.15g,\"seconds\":%.6f,\"timebase\":%d,\"value\":%.9g,\"unit\":\"%s\","
	       "\"start\":%.6f,\"realtime\":%.6f}\n",
	       test, count, seconds, timebase, count * timebase / seconds, unit, started, started_realtime);
	if (fflush(stdout) != 0)
		measure_fail("cannot print the result: %s", strerror(errno));
}

static void become(char *const argv[], char *const environment[], const char *log)
{
	setpgid(0, 0);
	if (log) {
		int output = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		if (output < 0)
			_exit(127);
		dup2(output, STDOUT_FILENO);
		dup2(output, STDERR_FILENO);
		close(output);
	}
	environ = (char **)environment;
	execvp(argv[0], argv);
	_exit(127);
}

int measure_run(char *const argv[], char *const environment[], const char *log)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		measure_fail("cannot fork: %s", strerror(errno));
	if (child == 0)
		become(argv, environment, log);
	/* The child gets a process group of its own, so that a signal ends it with all it started.
	 * Both sides say so, because either may come first; a signal that came before the handler
	 * knew the child is made up for here. */
	setpgid(child, child);
	running_child = child;
	if (caught_signal)
		kill(-child, SIGKILL);
	if (waitpid(child, &status, 0) != child)
		measure_fail("cannot wait for %s: %s", argv[0], strerror(errno));
	running_child = 0;
	if (caught_signal) {
		while (wait(NULL) > 0)
			;
		die_of_signal();
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
