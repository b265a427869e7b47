/* Writes a file as those do who write videos and archives: a header that is filled in at the end, an index that is moved
 * to the front, sizes patched into chunks already written, a gap left and used later, a tail cut off.
 *
 *     seeker FILE SEED
 */

#define _FILE_OFFSET_BITS 64
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNKS = 200, INDEX = 3333 };

static uint32_t state;

static uint32_t next(void)
{
    state = state * 1664525 + 1013904223;
    return state >> 8;
}

static void check(int is_good, const char *what)
{
    if (!is_good) {
        perror(what);
        exit(1);
    }
}

static void write_chunk(FILE *file)
{
    static unsigned char data[20000];
    uint32_t length = next() % sizeof data, sum = 0;
    off_t start = ftello(file);
    check(fwrite("size", 1, 4, file) == 4, "fwrite");
    for (uint32_t i = 0; i < length; i++)
        sum += data[i] = (unsigned char)next();
    check(fwrite(data, 1, length, file) == length, "fwrite");
    check(fseeko(file, start, SEEK_SET) == 0, "fseeko");
    check(fwrite(&length, 1, 4, file) == 4, "fwrite");
    check(fseeko(file, 0, SEEK_END) == 0, "fseeko");
    check(fwrite(&sum, 1, 4, file) == 4, "fwrite");
}

/* Makes room for the index behind the header, from the end to the front. */
static void move_everything(int fd, off_t by)
{
    static char data[10007];
    off_t end = lseek(fd, 0, SEEK_END);
    while (end > 64) {
        off_t start = end - (off_t)sizeof data < 64 ? 64 : end - (off_t)sizeof data;
        size_t length = (size_t)(end - start);
        check(pread(fd, data, length, start) == (ssize_t)length, "pread");
        check(pwrite(fd, data, length, start + by) == (ssize_t)length, "pwrite");
        end = start;
    }
}

int main(int argc, char **argv)
{
    char header[64] = "header", index[INDEX];
    check(argc == 3, "usage: seeker FILE SEED");
    state = (uint32_t)atoi(argv[2]);

    FILE *file = fopen(argv[1], "w+b");
    check(file != NULL, "fopen");
    check(fseeko(file, sizeof header, SEEK_SET) == 0, "fseeko");
    for (int i = 0; i < CHUNKS; i++)
        write_chunk(file);
    check(fseeko(file, 100000, SEEK_END) == 0, "fseeko"); /* a gap, and something behind it that does not stay */
    check(fputs("temporary", file) >= 0, "fputs");
    check(fflush(file) == 0, "fflush");

    int fd = fileno(file);
    off_t end = lseek(fd, 0, SEEK_END);
    check(ftruncate(fd, end - 50000) == 0, "ftruncate");
    move_everything(fd, INDEX);
    memset(index, 'i', sizeof index);
    check(pwrite(fd, index, sizeof index, sizeof header) == sizeof index, "pwrite");
    snprintf(header, sizeof header, "header %lld", (long long)end);
    rewind(file);
    check(fwrite(header, 1, sizeof header, file) == sizeof header, "fwrite");
    check(fclose(file) == 0, "fclose");
    return 0;
}
