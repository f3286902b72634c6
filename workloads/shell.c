/* How many times a minute a shell can run 1, 8 or 16 scripts at once (shell1, shell8, shell16).
 *
 * A turn is a shell that starts the scripts and waits for them. Shell, sort, od, grep, tee, wc and
 * rm are the static busybox of the bundle and the locale is fixed, so that the test asks the same
 * of every subject whatever it has installed.
 */
#define _GNU_SOURCE
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const tests[] = { "shell1", "shell8", "shell16" };

static char *setting(const char *name, const char *value)
{
	char *text;

	if (asprintf(&text, "%s=%s", name, value) < 0)
		measure_fail("out of memory");
	return text;
}

int main(int argc, char **argv)
{
	const char *test = NULL;
	const struct measure_option options[] = { { "--test", &test } };
	unsigned long count = 0;
	size_t kind = 0;
	int status = 0;

	measure_arguments(argc, argv, options, 1);
	while (kind < 3 && (!test || strcmp(test, tests[kind]) != 0))
		kind++;
	if (kind == 3)
		measure_usage("--test must be shell1, shell8 or shell16");

	char *busybox = measure_bundle_path("busybox");
	char *scripts[] = { busybox, "sh", measure_bundle_path("shell-many.sh"), (char *)test + strlen("shell"), NULL };
	/* No PATH that leads anywhere: a command that is not called by its path must fail, not come
	 * from the subject. */
	char *environment[] = {
		setting("BUSYBOX", busybox),
		setting("SCRIPT", measure_bundle_path("shell-one.sh")),
		setting("TEXT", measure_bundle_path("text")),
		"PATH=/nonexistent",
		"LANG=C",
		"LC_ALL=C",
		NULL,
	};
	measure_enter_work_dir();

	measure_start();
	while (!measure_over && status == 0) {
		status = measure_run(scripts, environment, "log");
		count++;
	}
	measure_stop();

	if (status != 0)
		measure_fail("a script ended with status %d", status);
	measure_report(test, count, 60, "lpm");
	return 0;
}
