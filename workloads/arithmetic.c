/* How many turns of a hundred multiplications, divisions and additions a second, in one type of
 * number.
 *
 * A turn sums y / (y - 1) with y = i * i over i = 2 ... 101, which is known: 100 for whole numbers,
 * and 100.740148 with fractions. arithoh is the same loop without arithmetic: what the loop itself
 * costs.
 */
#include "measure.h"

#include <string.h>

/* The compiler must believe that i could be anything, or it would unroll, vectorize or work out the
 * loop. */
#define UNKNOWN(i) __asm__ volatile("" : "+r"(i))

#define DEFINE_TURN(name, type)                       \
	static double turn_##name(void)                \
	{                                              \
		type sum = 0;                          \
                                                       \
		for (int i = 2; i <= 101; i++) {       \
			UNKNOWN(i);                    \
			type x = (type)i;              \
			type y = (type)(x * x);        \
			sum = (type)(sum + y / (y - 1)); \
		}                                      \
		return (double)sum;                    \
	}

DEFINE_TURN(short, short)
DEFINE_TURN(int, int)
DEFINE_TURN(long, long)
DEFINE_TURN(float, float)
DEFINE_TURN(double, double)

static double turn_arithoh(void)
{
	for (int i = 2; i <= 101; i++)
		UNKNOWN(i);
	return 0;
}

static const struct {
	const char *test;
	double (*turn)(void);
	double expected;
} kinds[] = {
	{ "arithoh", turn_arithoh, 0 },
	{ "short", turn_short, 100 },
	{ "int", turn_int, 100 },
	{ "long", turn_long, 100 },
	{ "float", turn_float, 100.740148 },
	{ "double", turn_double, 100.740148 },
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

int main(int argc, char **argv)
{
	const char *test = NULL;
	const struct measure_option options[] = { { "--test", &test } };
	unsigned long count = 0;
	double result = 0, error;
	size_t kind = 0;

	measure_arguments(argc, argv, options, 1);
	while (kind < KINDS && (!test || strcmp(test, kinds[kind].test) != 0))
		kind++;
	if (kind == KINDS)
		measure_usage("--test must be arithoh, short, int, long, float or double");

	measure_start();
	while (!measure_over) {
		result = kinds[kind].turn();
		count++;
	}
	measure_stop();

	error = result - kinds[kind].expected;
	if (error < -0.001 || error > 0.001)
		measure_fail("the sum is %.6f instead of %.6f", result, kinds[kind].expected);
	measure_report(test, count, 1, "lps");
	return 0;
}
