/* How many times a second the towers of Hanoi with 10 discs can be moved: deep recursion, little
 * else. */
#include "measure.h"

enum { DISCS = 10 };

static int height[3];

static __attribute__((noinline)) void move(int discs, int from, int to)
{
	int other = 3 - from - to;

	if (discs == 1) {
		height[from]--;
		height[to]++;
		return;
	}
	move(discs - 1, from, other);
	move(1, from, to);
	move(discs - 1, other, to);
}

int main(int argc, char **argv)
{
	unsigned long count = 0;

	measure_arguments(argc, argv, NULL, 0);

	measure_start();
	while (!measure_over) {
		height[0] = DISCS;
		height[1] = height[2] = 0;
		move(DISCS, 0, 2);
		if (height[2] != DISCS)
			measure_fail("the tower did not arrive");
		count++;
	}
	measure_stop();

	measure_report("hanoi", count, 1, "lps");
	return 0;
}
