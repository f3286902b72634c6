/* What the two files of dhry2reg share: what one has the other call, and see. */
#ifndef DHRY2REG_H
#define DHRY2REG_H

enum colour { RED, AMBER, GREEN, BLUE, WHITE };

extern int total;
extern char mark_one, mark_two;

void couple(int a, int b, int *sum);
int is_green(enum colour colour);
void repaint(enum colour old, enum colour *new);
void fill(int line[50], int grid[50][50], int at, int value);
enum colour compare_marks(char left, char right);
int comes_after(const char *left, const char *right);

#endif
