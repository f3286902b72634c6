/* How many million Whetstone instructions a second (MWIPS), in double precision.
 *
 * Eight modules, each one kind of work of scientific programs, in the proportions that H. Curnow
 * and B. Wichmann found (A Synthetic Benchmark, The Computer Journal 19, 1976). With the weights
 * below times ten the modules together are one million instructions of the Whetstone Algol
 * compiler.
 */
#include "measure.h"

#include <math.h>

#define CALLED __attribute__((noinline, noclone))

/* The compiler must believe that the value could be anything, or it would work out the module
 * instead of compiling it. */
#define UNKNOWN(value) __asm__ volatile("" : "+r"(value))
#define UNKNOWN_ARRAY(array) __asm__ volatile("" : : "r"(array) : "memory")

enum {
	SCALE = 10,
	ARRAY = 12 * SCALE,
	ARRAY_PARAMETER = 14 * SCALE,
	BRANCHES = 345 * SCALE,
	INTEGERS = 210 * SCALE,
	TRIGONOMETRY = 32 * SCALE,
	CALLS = 899 * SCALE,
	REFERENCES = 616 * SCALE,
	FUNCTIONS = 93 * SCALE,
};

static const double t = 0.499975, t1 = 0.50000025, t2 = 2.0;
static double e[4];

static void mix(double v[4])
{
	v[0] = (v[0] + v[1] + v[2] - v[3]) * t;
	v[1] = (v[0] + v[1] - v[2] + v[3]) * t;
	v[2] = (v[0] - v[1] + v[2] + v[3]) * t;
	v[3] = (-v[0] + v[1] + v[2] + v[3]) * t;
}

CALLED static void mix_parameter(double v[4])
{
	for (int i = 0; i < 6; i++) {
		v[0] = (v[0] + v[1] + v[2] - v[3]) * t;
		v[1] = (v[0] + v[1] - v[2] + v[3]) * t;
		v[2] = (v[0] - v[1] + v[2] + v[3]) * t;
		v[3] = (-v[0] + v[1] + v[2] + v[3]) / t2;
	}
}

CALLED static void add_and_halve(double x, double y, double *z)
{
	double a = t * (x + y);
	double b = t * (a + y);

	*z = (a + b) / t2;
}

CALLED static void rotate(int j, int k, int l)
{
	e[j] = e[k];
	e[k] = e[l];
	e[l] = e[j];
}

static void reset(void)
{
	e[0] = 1;
	e[1] = e[2] = e[3] = -1;
}

static double array_module(void)
{
	reset();
	for (int i = 0; i < ARRAY; i++) {
		mix(e);
		UNKNOWN_ARRAY(e);
	}
	return e[3];
}

static double array_parameter_module(void)
{
	reset();
	for (int i = 0; i < ARRAY_PARAMETER; i++)
		mix_parameter(e);
	return e[3];
}

static double branch_module(void)
{
	int j = 1;

	for (int i = 0; i < BRANCHES; i++) {
		j = j == 1 ? 2 : 3;
		UNKNOWN(j);
		j = j > 2 ? 0 : 1;
		UNKNOWN(j);
		j = j < 1 ? 1 : 0;
		UNKNOWN(j);
	}
	return j;
}

static double integer_module(void)
{
	int j = 1, k = 2, l = 3;

	reset();
	for (int i = 0; i < INTEGERS; i++) {
		j = j * (k - j) * (l - k);
		k = l * k - (l - j) * k;
		l = (l - k) * (k + j);
		UNKNOWN(l);
		e[l - 2] = j + k + l;
		e[k - 2] = j * k * l;
	}
	return e[0] + e[1];
}

static double trigonometry_module(void)
{
	double x = 0.5, y = 0.5;

	for (int i = 0; i < TRIGONOMETRY; i++) {
		x = t * atan(t2 * sin(x) * cos(x) / (cos(x + y) + cos(x - y) - 1));
		y = t * atan(t2 * sin(y) * cos(y) / (cos(x + y) + cos(x - y) - 1));
	}
	return y;
}

static double call_module(void)
{
	double x = 1, y = 1, z = 1;

	for (int i = 0; i < CALLS; i++)
		add_and_halve(x, y, &z);
	return z;
}

static double reference_module(void)
{
	e[0] = 1;
	e[1] = 2;
	e[2] = 3;
	for (int i = 0; i < REFERENCES; i++)
		rotate(0, 1, 2);
	return e[0];
}

static double function_module(void)
{
	double x = 0.75;

	for (int i = 0; i < FUNCTIONS; i++)
		x = sqrt(exp(log(x) / t1));
	return x;
}

static const struct {
	const char *name;
	double (*run)(void);
	double expected;
} modules[] = {
	{ "array", array_module, -1.12397907 },
	{ "array parameter", array_parameter_module, -1.11231371 },
	{ "branch", branch_module, 1 },
	{ "integer", integer_module, 12 },
	{ "trigonometry", trigonometry_module, 0.490392498 },
	{ "call", call_module, 0.999937501 },
	{ "reference", reference_module, 3 },
	{ "function", function_module, 0.750100312 },
};

enum { MODULES = sizeof modules / sizeof modules[0] };

int main(int argc, char **argv)
{
	double results[MODULES] = { 0 };
	unsigned long count = 0;

	measure_arguments(argc, argv, NULL, 0);

	measure_start();
	while (!measure_over) {
		for (int i = 0; i < MODULES; i++)
			results[i] = modules[i].run();
		count++;
	}
	measure_stop();

	for (int i = 0; i < MODULES; i++) {
		double error = results[i] - modules[i].expected;

		if (error < -1e-4 || error > 1e-4)
			measure_fail("module %s gave %.9g instead of %.9g", modules[i].name, results[i], modules[i].expected);
	}
	measure_report("whetstone", count, 1, "MWIPS");
	return 0;
}
