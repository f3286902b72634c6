/* How many times a minute a small calculator can be started and work out the square root of 2 to 99
 * places.
 *
 * Each turn is a process of its own (this program, called with --places), as the calculator dc is
 * in UnixBench 4.1.0.
 */
#include "measure.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 512 };

/* A whole number of any length: decimal digits, the lowest first. */
struct number {
	int length;
	unsigned char digit[ROOM];
};

static struct number from_int(int value)
{
	struct number n = { 0 };

	for (; value; value /= 10)
		n.digit[n.length++] = value % 10;
	return n;
}

static int compare(const struct number *a, const struct number *b)
{
	if (a->length != b->length)
		return a->length < b->length ? -1 : 1;
	for (int i = a->length - 1; i >= 0; i--)
		if (a->digit[i] != b->digit[i])
			return a->digit[i] < b->digit[i] ? -1 : 1;
	return 0;
}

static void trim(struct number *a)
{
	while (a->length && a->digit[a->length - 1] == 0)
		a->length--;
}

static void subtract(struct number *a, const struct number *b)
{
	int borrow = 0;

	for (int i = 0; i < a->length; i++) {
		int difference = a->digit[i] - borrow - (i < b->length ? b->digit[i] : 0);

		borrow = difference < 0;
		a->digit[i] = difference + 10 * borrow;
	}
	trim(a);
}

static void add_at(struct number *a, int place, int value)
{
	for (int i = place; value; i++) {
		value += i < a->length ? a->digit[i] : 0;
		a->digit[i] = value % 10;
		value /= 10;
		if (i >= a->length)
			a->length = i + 1;
	}
}

static void shift(struct number *a, int places)
{
	memmove(a->digit + places, a->digit, a->length);
	memset(a->digit, 0, places);
	a->length += places;
}

static struct number square(const struct number *a)
{
	struct number product = { .length = 2 * a->length };

	for (int i = 0; i < a->length; i++) {
		int carry = 0;

		for (int j = 0; j < a->length || carry; j++) {
			carry += product.digit[i + j] + (j < a->length ? a->digit[i] * a->digit[j] : 0);
			product.digit[i + j] = carry % 10;
			carry /= 10;
		}
	}
	trim(&product);
	return product;
}

/* The digits of sqrt(value) by repeated subtraction (F. Jarvis, Square roots by subtraction): with
 * a = 5 * value and b = 5, either take b from a and add 10 to b, or append 00 to a and put a 0
 * before the last digit of b. */
static struct number square_root(int value, int places)
{
	struct number a = from_int(5 * value), b = from_int(5);

	while (b.length < places + 3) {
		if (compare(&a, &b) >= 0) {
			subtract(&a, &b);
			add_at(&b, 1, 1);
		} else {
			shift(&a, 2);
			shift(&b, 1);
			b.digit[0] = 5;
			b.digit[1] = 0;
		}
	}
	/* b is the root followed by 05 or more, so the last two digits go. */
	memmove(b.digit, b.digit + 2, b.length - 2);
	b.length -= 2;
	return b;
}

/* Whether root is the whole part of sqrt(value) * 10^places. */
static int is_root(struct number root, int value, int places)
{
	struct number target = from_int(value), low, high;

	shift(&target, 2 * places);
	low = square(&root);
	add_at(&root, 0, 1);
	high = square(&root);
	return compare(&low, &target) <= 0 && compare(&target, &high) < 0;
}

int main(int argc, char **argv)
{
	const char *places = NULL;
	const struct measure_option options[] = { { "--places", &places } };
	unsigned long count = 0;
	int status = 0;

	measure_arguments(argc, argv, options, 1);
	if (places && (atoi(places) < 1 || atoi(places) > 200))
		measure_usage("--places %s is not between 1 and 200", places);
	if (places)
		return is_root(square_root(2, atoi(places)), 2, atoi(places)) ? 0 : 3;

	char *calculator[] = { (char *)measure_own_path(), "--seconds", "1", "--places", "99", NULL };
	char *environment[] = { NULL };

	measure_start();
	while (!measure_over && status == 0) {
		status = measure_run(calculator, environment, NULL);
		count++;
	}
	measure_stop();

	if (status != 0)
		measure_fail("the calculator ended with status %d", status);
	measure_report("dc", count, 60, "lpm");
	return 0;
}
