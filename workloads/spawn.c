/* How many times a second a process can fork a child that exits at once, and wait for it. */
#include "measure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned long count = 0;

	measure_arguments(argc, argv, NULL, 0);

	measure_start();
	while (!measure_over) {
		pid_t child = fork();
		int status;

		/* exit(), not _exit(): a child that ends as programs end is what the test is about. */
		if (child == 0)
			exit(0);
		if (child < 0)
			measure_fail("cannot fork: %s", strerror(errno));
		if (wait(&status) != child || status != 0)
			measure_fail("a child did not end well");
		count++;
	}
	measure_stop();

	measure_report("spawn", count, 1, "lps");
	return 0;
}
