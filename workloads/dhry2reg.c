/* How many turns a second of an everyday mix of assignments, branches, calls, strings, records and
 * small arrays: the mix that R. Weicker counted in real programs and named Dhrystone. No floating
 * point, no system calls.
 *
 * One turn does what one turn of Dhrystone 2 does, in about the same amounts: two 30-character
 * strings filled and compared, a record copied and changed through pointers, a vector and a matrix
 * written in a few places, a handful of integer multiplications and divisions, and as many calls.
 * Its procedures are in two files, shared out as Dhrystone's are: the compiler sees one file at a
 * time, so it may inline within a file and not from one into the other. None but what a file has
 * for itself is static, as in Dhrystone, because that too decides on what is inlined. "reg" is
 * UnixBench's name for the variant with register variables, a difference compilers no longer make.
 */
#include "dhry2reg.h"
#include "measure.h"

#include <string.h>

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

int total;
static int is_marked;
char mark_one, mark_two;
static int row[50];
static int table[50][50];
static struct wagon engine, tender;
static struct wagon *train;

/* Raise a number by what the train's first mark says; one turn of a loop that looks as if it could
 * take more. */
void step(int *number)
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

void follow(struct wagon **where)
{
	if (train)
		*where = train->next;
	couple(10, total, &train->as.freight.load);
}

void shunt(struct wagon *wagon)
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

void mark_first(void)
{
	int is_a = mark_one == 'A';

	is_marked = is_a | is_marked;
	mark_two = 'B';
}

void mark_second(void)
{
	mark_one = 'A';
	is_marked = 0;
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
