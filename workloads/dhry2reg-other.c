/* The other file of dhry2reg: procedures that its turn has to call, because nobody can inline them
 * there.
 */
#include "dhry2reg.h"

#include <string.h>

/* The sum of both and 2, through a pointer. */
void couple(int a, int b, int *sum)
{
	int with_gap = a + 2;

	*sum = b + with_gap;
}

int is_green(enum colour colour)
{
	enum colour copy = colour;

	return copy == GREEN;
}

void repaint(enum colour old, enum colour *new)
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

void fill(int line[50], int grid[50][50], int at, int value)
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

enum colour compare_marks(char left, char right)
{
	char copy = left;

	if (copy != right)
		return RED;
	mark_one = copy;
	return AMBER;
}

/* Whether the left string comes after the right one, once two of their characters have been looked
 * at. */
int comes_after(const char *left, const char *right)
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
