/* How many times a second two processes can hand a growing number to and fro over two pipes: two
 * context switches a turn where they share a CPU. */
#include "measure.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The other process: expect 0, 1, 2, ... and send each back, until the parent closes its end. Exit
 * status 0 if all came. */
static int echo(int from, int to)
{
	unsigned long expected = 0;
	unsigned long got;
	ssize_t size;

	while ((size = read(from, &got, sizeof got)) == sizeof got) {
		if (got != expected || write(to, &expected, sizeof expected) != sizeof expected)
			return 1;
		expected++;
	}
	return size == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	unsigned long count = 0;
	unsigned long answer;
	int there[2], back[2], status;
	pid_t child;

	measure_arguments(argc, argv, NULL, 0);
	if (pipe(there) != 0 || pipe(back) != 0)
		measure_fail("cannot make a pipe: %s", strerror(errno));
	child = fork();
	if (child < 0)
		measure_fail("cannot fork: %s", strerror(errno));
	if (child == 0) {
		close(there[1]);
		close(back[0]);
		_exit(echo(there[0], back[1]));
	}
	close(there[0]);
	close(back[1]);

	measure_start();
	while (!measure_over) {
		if (write(there[1], &count, sizeof count) != sizeof count)
			measure_fail("cannot write to the other process: %s", strerror(errno));
		if (read(back[0], &answer, sizeof answer) != sizeof answer)
			measure_fail("the other process did not answer turn %lu", count);
		if (answer != count)
			measure_fail("sent %lu, got %lu back", count, answer);
		count++;
	}
	measure_stop();

	close(there[1]);
	if (waitpid(child, &status, 0) != child || status != 0)
		measure_fail("the other process did not end well");
	measure_report("context1", count, 1, "lps");
	return 0;
}
