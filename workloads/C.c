/* How many times a minute the subject's C compiler can compile and link a small program.
 *
 * The compiler is the one test that needs the subject's own user land. Guests have the template's;
 * for the host to use the very same one, --chroot says where the template's root is: the compiler
 * then runs below it, and --dir is a directory there.
 */
#define _GNU_SOURCE
#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *read_all(const char *path, size_t *size)
{
	int file = open(path, O_RDONLY);
	struct stat facts;
	char *text;

	if (file < 0 || fstat(file, &facts) != 0)
		measure_fail("%s: %s", path, strerror(errno));
	*size = facts.st_size;
	text = malloc(*size);
	if (!text || read(file, text, *size) != (ssize_t)*size)
		measure_fail("cannot read %s", path);
	close(file);
	return text;
}

static void write_all(const char *path, const char *text, size_t size)
{
	int file = open(path, O_WRONLY | O_CREAT, 0600);

	if (file < 0 || write(file, text, size) != (ssize_t)size || close(file) != 0)
		measure_fail("cannot write %s: %s", path, strerror(errno));
}

static void fail_with_log(int status)
{
	char line[200] = "";
	FILE *log = fopen("log", "r");

	if (status == 127)
		measure_fail("there is no C compiler (cc) here");
	if (!log || !fgets(line, sizeof line, log))
		strcpy(line, "it said nothing");
	line[strcspn(line, "\n")] = 0;
	measure_fail("the C compiler ended with status %d: %s", status, line);
}

int main(int argc, char **argv)
{
	const char *root = NULL;
	const struct measure_option options[] = { { "--chroot", &root } };
	char *compiler[] = { "cc", "cctest.c", NULL };
	char *environment[] = { "PATH=/usr/bin:/bin", "TMPDIR=.", "LANG=C", "LC_ALL=C", NULL };
	unsigned long count = 0;
	char *source;
	size_t size;
	int status = 0;

	measure_arguments(argc, argv, options, 1);
	source = read_all(measure_bundle_path("cctest.c"), &size);
	if (root && (chroot(root) != 0 || chdir("/") != 0))
		measure_fail("cannot enter %s: %s", root, strerror(errno));
	measure_enter_work_dir();
	write_all("cctest.c", source, size);

	measure_start();
	while (!measure_over && status == 0) {
		status = measure_run(compiler, environment, "log");
		if (status == 0 && unlink("a.out") != 0)
			measure_fail("the C compiler made no program");
		count++;
	}
	measure_stop();

	if (status != 0)
		fail_with_log(status);
	measure_report("C", count, 60, "lpm");
	return 0;
}
