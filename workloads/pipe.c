/* How many times a second one process can write 512 bytes into a pipe and read them back. */
#include "measure.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned long count = 0;
	char block[512] = { 0 };
	int ends[2];

	measure_arguments(argc, argv, NULL, 0);
	if (pipe(ends) != 0)
		measure_fail("cannot make a pipe: %s", strerror(errno));

	measure_start();
	while (!measure_over) {
		if (write(ends[1], block, sizeof block) != sizeof block)
			measure_fail("cannot write to the pipe: %s", strerror(errno));
		if (read(ends[0], block, sizeof block) != sizeof block)
			measure_fail("cannot read from the pipe: %s", strerror(errno));
		count++;
	}
	measure_stop();

	measure_report("pipe", count, 1, "lps");
	return 0;
}
