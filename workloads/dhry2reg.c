/* How many turns a second of an everyday mix of assignments, branches, calls, strings, records and
 * small arrays: the mix that R. Weicker counted in real programs and named Dhrystone. No floating
 * point, no system calls.
 *
 * One turn does what one turn of Dhrystone 2 does, in about the same amounts: two 30-character
 * strings filled and compared, a record copied and changed through pointers, a vector and a matrix
 * written in a few places, a handful of integer multiplications and divisions, and a dozen calls
 * that are not inlined. "reg" is UnixBench's name for the variant with register variables, a
 * difference compilers no longer make.
 */
#include "measure.h"

#include <string.h>

#define CALLED __attribute__((noinline, noclone))

enum colour { RED, AMBER, GREEN, BLUE, WHITE };

struct wagon {
	struct wagon *next;
	enum colour kind;
	union {
		struct {
			enum colour paint;
			int load;
			char label[31];
		} freight;
		struct {
			enum colour paint;
			char label[31];
		} coach;
		struct {
			char first, second;
		} marks;
	} as;
};

static int total;
static int is_marked;
static char mark_one, mark_two;
static int row[50];
static int table[50][50];
static struct wagon engine, tender;
static struct wagon *train;

/* The sum of both and 2, through a pointer. */
CALLED static void couple(int a, int b, int *sum)
{
	int with_gap = a + 2;

	*sum = b + with_gap;
}

CALLED static int is_green(enum colour colour)
{
	enum colour copy = colour;

	return copy == GREEN;
}

CALLED static void repaint(enum colour old, enum colour *new)
{
	*new = old;
	if (!is_green(old))
		*new = BLUE;
	switch (old) {
	case RED:
		*new = RED;
		break;
	case AMBER:
		*new = total > 100 ? RED : BLUE;
		break;
	case GREEN:
		*new = AMBER;
		break;
	case BLUE:
		break;
	case WHITE:
		*new = GREEN;
		break;
	}
}

/* Raise a number by what the train's first mark says; one turn of a loop that looks as if it could
 * take more. */
CALLED static void step(int *number)
{
	int next = *number + 10;
	enum colour seen = WHITE;

	do {
		if (mark_one == 'A') {
			next--;
			*number = next - total;
			seen = RED;
		}
	} while (seen != RED);
}

CALLED static void follow(struct wagon **where)
{
	if (train)
		*where = train->next;
	couple(10, total, &train->as.freight.load);
}

CALLED static void shunt(struct wagon *wagon)
{
	struct wagon *next = wagon->next;

	*wagon->next = *train;
	wagon->as.freight.load = 5;
	next->as.freight.load = wagon->as.freight.load;
	next->next = wagon->next;
	follow(&next->next);
	if (next->kind == RED) {
		next->as.freight.load = 6;
		repaint(wagon->as.freight.paint, &next->as.freight.paint);
		next->next = train->next;
		couple(next->as.freight.load, 10, &next->as.freight.load);
	} else {
		*wagon = *wagon->next;
	}
}

CALLED static void mark_first(void)
{
	int is_a = mark_one == 'A';

	is_marked = is_a | is_marked;
	mark_two = 'B';
}

CALLED static void mark_second(void)
{
	mark_one = 'A';
	is_marked = 0;
}

CALLED static void fill(int line[50], int grid[50][50], int at, int value)
{
	int place = at + 5;

	line[place] = value;
	line[place + 1] = line[place];
	line[place + 30] = place;
	for (int column = place; column <= place + 1; column++)
		grid[place][column] = place;
	grid[place][place - 1] += 1;
	grid[place + 20][place] = line[place];
	total = 5;
}

CALLED static enum colour compare_marks(char left, char right)
{
	char copy = left;

	if (copy != right)
		return RED;
	mark_one = copy;
	return AMBER;
}

/* Whether the left string comes after the right one, once two of their characters have been looked
 * at. */
CALLED static int comes_after(const char *left, const char *right)
{
	int at = 2;
	char found = 'A';

	while (at <= 2) {
		if (compare_marks(left[at], right[at + 1]) == RED) {
			found = 'A';
			at++;
		}
	}
	if (found >= 'W' && found < 'Z')
		at = 7;
	if (found == 'R')
		return 1;
	if (strcmp(left, right) > 0) {
		total = at + 7;
		return 1;
	}
	return 0;
}

/* Whether everything that outlives a turn is as any number of turns leaves it. */
static int left_as_expected(unsigned long turns)
{
	int marks = is_marked == 1 && mark_one == 'A' && mark_two == 'B';
	int arrays = total == 5 && row[8] == 7 && row[38] == 8 && table[8][9] == 8 && table[28][8] == 7 &&
		     (unsigned int)table[8][7] == (unsigned int)turns;
	int wagons = engine.as.freight.load == 17 && tender.as.freight.load == 18 &&
		     tender.as.freight.paint == AMBER && tender.next == &tender &&
		     strcmp(tender.as.freight.label, engine.as.freight.label) == 0;

	return marks && arrays && wagons;
}

int main(int argc, char **argv)
{
	static char first[31], second[31];
	unsigned long count = 0;
	int one = 0, two = 0, three = 0;
	enum colour paint = GREEN;

	measure_arguments(argc, argv, NULL, 0);
	train = &engine;
	engine.next = &tender;
	engine.kind = RED;
	engine.as.freight.paint = GREEN;
	engine.as.freight.load = 40;
	strcpy(engine.as.freight.label, "THE LABEL OF THE FREIGHT WAGON");
	strcpy(first, "THE FIRST STRING, THIRTY LONG.");
	row[8] = 7;

	measure_start();
	while (!measure_over) {
		mark_second();
		mark_first();
		one = 2;
		three = 3;
		strcpy(second, "THE NEXT STRING, 30 CHARACTERS");
		paint = AMBER;
		is_marked = !comes_after(first, second);
		while (one < three) {
			two = 5 * one - three;
			couple(one, three, &two);
			one++;
		}
		fill(row, table, one, two);
		shunt(train);
		for (char mark = 'A'; mark <= mark_two; mark++) {
			if (paint == compare_marks(mark, 'C')) {
				repaint(RED, &paint);
				strcpy(second, "A STRING THAT IS NEVER COPIED.");
				three = (int)count;
			}
		}
		three = three * one;
		one = three / two;
		two = 7 * (three - two) - one;
		step(&one);
		count++;
	}
	measure_stop();

	if (one != 5 || two != 13 || three != 9 || paint != AMBER || !left_as_expected(count) ||
	    strcmp(second, "THE NEXT STRING, 30 CHARACTERS") != 0)
		measure_fail("the turns left a wrong result");
	measure_report("dhry2reg", count, 1, "lps");
	return 0;
}
