/* How many KiB a second a file can be copied with small buffers, again and again, within what the
 * page cache holds.
 *
 * fstime: 1024-byte buffers, a file of 2000 KiB; fsbuffer: 256 bytes, 500 KiB; fsdisk: 4096 bytes,
 * 8000 KiB. The size matters: what fits into a CPU's cache is copied faster.
 */
#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *test;
	size_t buffer;
	long kib;
} kinds[] = {
	{ "fstime", 1024, 2000 },
	{ "fsbuffer", 256, 500 },
	{ "fsdisk", 4096, 8000 },
};

static char buffer[4096];

static int open_file(const char *name)
{
	int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (file < 0)
		measure_fail("cannot make a file: %s", strerror(errno));
	return file;
}

static void write_block(int file, size_t size)
{
	ssize_t written = write(file, buffer, size);

	if (written < 0)
		measure_fail("cannot write: %s", strerror(errno));
	if ((size_t)written != size)
		measure_fail("wrote %zd bytes instead of %zu", written, size);
}

/* Read a block; 0 at the end of the file. */
static int read_block(int file, size_t size)
{
	ssize_t got = read(file, buffer, size);

	if (got < 0)
		measure_fail("cannot read: %s", strerror(errno));
	if (got != 0 && (size_t)got != size)
		measure_fail("read %zd bytes instead of %zu", got, size);
	return got != 0;
}

static void rewind_both(int from, int to)
{
	if (lseek(from, 0, SEEK_SET) != 0 || lseek(to, 0, SEEK_SET) != 0)
		measure_fail("cannot go back to the start of a file: %s", strerror(errno));
}

/* Write the first file, copy it once and put both on disk, so that every turn that counts finds the
 * same state: both files whole and in the page cache, nothing left to be written. UnixBench writes
 * and reads for 2 s each instead. */
static void prepare(int from, int to, size_t size, long blocks)
{
	memset(buffer, 'w', size);
	for (long i = 0; i < blocks && !measure_over; i++)
		write_block(from, size);
	rewind_both(from, to);
	while (!measure_over && read_block(from, size))
		write_block(to, size);
	if (fdatasync(from) != 0 || fdatasync(to) != 0)
		measure_fail("cannot put the files on disk: %s", strerror(errno));
	rewind_both(from, to);
}

static void check_copy(int to, size_t size, long blocks)
{
	off_t end = (off_t)size * blocks;

	if (lseek(to, 0, SEEK_END) != end || pread(to, buffer, size, end - (off_t)size) != (ssize_t)size || buffer[0] != 'w' ||
	    memcmp(buffer, buffer + 1, size - 1) != 0)
		measure_fail("the copy is not what was written");
}

int main(int argc, char **argv)
{
	const char *test = NULL;
	const struct measure_option options[] = { { "--test", &test } };
	unsigned long copied = 0;
	size_t kind = 0, size;
	long blocks;
	int from, to;

	measure_arguments(argc, argv, options, 1);
	while (kind < 3 && (!test || strcmp(test, kinds[kind].test) != 0))
		kind++;
	if (kind == 3)
		measure_usage("--test must be fstime, fsbuffer or fsdisk");
	size = kinds[kind].buffer;
	blocks = kinds[kind].kib * 1024 / (long)size;
	measure_enter_work_dir();
	from = open_file("from");
	to = open_file("to");
	prepare(from, to, size, blocks);

	measure_start();
	while (!measure_over) {
		if (read_block(from, size)) {
			write_block(to, size);
			copied += size;
		} else {
			rewind_both(from, to);
		}
	}
	measure_stop();

	check_copy(to, size, blocks);
	measure_report(test, copied / 1024.0, 1, "KBps");
	return 0;
}
