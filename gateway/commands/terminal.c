#include "commands/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH_USUAL = 80 };

struct terminal terminal_of(FILE *to)
{
    const char *refused = getenv("NO_COLOR"), *kind = getenv("TERM");
    struct terminal terminal = {.to = to};
    struct winsize size = {0};

    if (!isatty(fileno(to)) || !kind || strcmp(kind, "dumb") == 0)
        return terminal;
    terminal.live = true;
    terminal.colour = !refused || !*refused;
    terminal.width = WIDTH_USUAL;
    if (ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        terminal.width = size.ws_col;
    return terminal;
}

const char *terminal_tone(const struct terminal *terminal, enum tone tone)
{
    if (!terminal->colour)
        return "";
    switch (tone) {
    case TONE_PLAIN:
        return "";
    case TONE_GOOD:
        return "\033[32m";
    case TONE_BAD:
        return "\033[31m";
    case TONE_WARN:
        return "\033[33m";
    case TONE_DIM:
        return "\033[2m";
    case TONE_HEAD:
        return "\033[1m";
    }
    return "";
}

const char *terminal_end(const struct terminal *terminal)
{
    return terminal->colour ? "\033[0m" : "";
}

static bool begins_character(char c)
{
    return ((unsigned char)c & 0xC0) != 0x80;
}

size_t text_width(const char *text)
{
    size_t width = 0;

    for (; *text; text++)
        width += begins_character(*text);
    return width;
}

size_t text_cut(const char *text, size_t width)
{
    const char *end = text;

    for (size_t seen = 0; *end; end++)
        if (begins_character(*end) && ++seen > width)
            break;
    return (size_t)(end - text);
}
