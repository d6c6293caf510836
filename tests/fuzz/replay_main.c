/*
 * Replay: feeds every file of a corpus to a fuzz target once, so that what a fuzzer ever found
 * stays found in builds without one. The sanitizers are the judge.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The bytes stand alone on the heap, so that a read one too far is seen. */
static int feed(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes;
    long size;

    if (!file)
        return -1;
    if (fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 ||
        fseek(file, 0, SEEK_SET) != 0 || !(bytes = malloc(size > 0 ? (size_t)size : 1))) {
        fclose(file);
        return -1;
    }
    size = (long)fread(bytes, 1, (size_t)size, file);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, (size_t)size);
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    struct dirent *entry;
    char path[4096];
    int count = 0;
    DIR *folder;

    if (argc != 2 || !(folder = opendir(argv[1]))) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 2;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        fprintf(stderr, "%s\n", path); /* the last one named is the one that crashed */
        if (feed(path) < 0) {
            perror(path);
            closedir(folder);
            return 1;
        }
        count++;
    }
    closedir(folder);
    printf("%d inputs\n", count);
    return 0;
}
