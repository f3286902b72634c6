/* What the C compiler test compiles: an ordinary small program with a bit of everything. It is
 * compiled and linked, never run. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 64
#define LONGEST 32

struct word {
	struct word *next;
	unsigned long count;
	char text[LONGEST];
};

struct table {
	struct word *bucket[BUCKETS];
	unsigned long words, distinct;
};

typedef int (*order)(const void *, const void *);

static unsigned int hash(const char *text)
{
	unsigned int value = 5381;

	while (*text)
		value = value * 33 + (unsigned char)*text++;
	return value % BUCKETS;
}

static struct word *find(struct table *table, const char *text)
{
	struct word **place = &table->bucket[hash(text)];
	struct word *word;

	for (word = *place; word; word = word->next)
		if (strcmp(word->text, text) == 0)
			return word;
	word = calloc(1, sizeof *word);
	if (!word) {
		perror("calloc");
		exit(1);
	}
	strncpy(word->text, text, LONGEST - 1);
	word->next = *place;
	*place = word;
	table->distinct++;
	return word;
}

static void count_words(struct table *table, FILE *input)
{
	char text[LONGEST];
	int length = 0;
	int c;

	do {
		c = getc(input);
		if (c != EOF && isalpha(c)) {
			if (length < LONGEST - 1)
				text[length++] = (char)tolower(c);
			continue;
		}
		if (length > 0) {
			text[length] = 0;
			find(table, text)->count++;
			table->words++;
			length = 0;
		}
	} while (c != EOF);
}

static int by_count(const void *left, const void *right)
{
	const struct word *a = *(struct word *const *)left;
	const struct word *b = *(struct word *const *)right;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return strcmp(a->text, b->text);
}

static int by_text(const void *left, const void *right)
{
	const struct word *a = *(struct word *const *)left;
	const struct word *b = *(struct word *const *)right;

	return strcmp(a->text, b->text);
}

static struct word **sorted(const struct table *table, order how)
{
	struct word **list = malloc((table->distinct + 1) * sizeof *list);
	unsigned long n = 0;

	if (!list) {
		perror("malloc");
		exit(1);
	}
	for (int i = 0; i < BUCKETS; i++)
		for (struct word *word = table->bucket[i]; word; word = word->next)
			list[n++] = word;
	list[n] = NULL;
	qsort(list, n, sizeof *list, how);
	return list;
}

static double mean_length(const struct table *table)
{
	double letters = 0;

	for (int i = 0; i < BUCKETS; i++)
		for (const struct word *word = table->bucket[i]; word; word = word->next)
			letters += (double)word->count * (double)strlen(word->text);
	return table->words ? letters / (double)table->words : 0;
}

static void print(struct word *const *list, unsigned long most)
{
	for (unsigned long i = 0; list[i] && i < most; i++)
		printf("%8lu %-*s%c", list[i]->count, LONGEST, list[i]->text, i % 2 ? '\n' : ' ');
	putchar('\n');
}

static void release(struct table *table)
{
	for (int i = 0; i < BUCKETS; i++) {
		while (table->bucket[i]) {
			struct word *word = table->bucket[i];

			table->bucket[i] = word->next;
			free(word);
		}
	}
}

int main(int argc, char **argv)
{
	static struct table table;
	unsigned long most = 20;
	order how = by_count;
	struct word **list;

	for (int i = 1; i < argc; i++) {
		switch (argv[i][0] == '-' ? argv[i][1] : 0) {
		case 'a':
			how = by_text;
			break;
		case 'n':
			most = strtoul(argv[i] + 2, NULL, 10);
			break;
		default:
			fprintf(stderr, "usage: %s [-a] [-nMOST]\n", argv[0]);
			return 2;
		}
	}
	count_words(&table, stdin);
	list = sorted(&table, how);
	print(list, most);
	printf("%lu words, %lu distinct, %.2f letters each\n", table.words, table.distinct, mean_length(&table));
	free(list);
	release(&table);
	return 0;
}
