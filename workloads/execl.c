/* How many times a second a process can replace itself by the same program (execl).
 *
 * All that the next life must know travels in its arguments: the turns so far, when the pass began
 * (nanoseconds of both clocks) and how long it is. No timer can say that the time is over, since no
 * handler survives the exec, so each life looks at the clock once. It does little else: reading
 * options or printing fractions would touch pages that cost as much as the exec's own.
 *
 * UnixBench pads its small, dynamically linked program with code that never runs, to make it as
 * large as programs are. This one is static and carries 800 KB of libc; it needs no padding.
 */
#include "measure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char again[] = "again";

static void live_again(const char *path, unsigned long count, long clock, long realtime, long wanted)
{
	char texts[4][24];

	sprintf(texts[0], "%lu", count);
	sprintf(texts[1], "%ld", clock);
	sprintf(texts[2], "%ld", realtime);
	sprintf(texts[3], "%ld", wanted);
	execl(path, path, again, texts[0], texts[1], texts[2], texts[3], (char *)NULL);
	measure_fail("cannot execute %s: %s", path, strerror(errno));
}

int main(int argc, char **argv)
{
	unsigned long count;
	long clock, realtime, wanted;

	if (argc != 6 || strcmp(argv[1], again) != 0) {
		measure_arguments(argc, argv, NULL, 0);
		live_again(measure_own_path(), 0, (long)(measure_clock() * 1e9), (long)(measure_realtime() * 1e9),
			   (long)(measure_seconds() * 1e9));
	}
	count = strtoul(argv[2], NULL, 10);
	clock = atol(argv[3]);
	realtime = atol(argv[4]);
	wanted = atol(argv[5]);
	if (measure_clock() * 1e9 - clock < wanted)
		live_again(argv[0], count + 1, clock, realtime, wanted);

	measure_started_at(clock / 1e9, realtime / 1e9);
	measure_stop();
	measure_report("execl", count, 1, "lps");
	return 0;
}
