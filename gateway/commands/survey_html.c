/* The report as a page: one file, no script, nothing fetched, every text escaped. */
#include "commands/payload.h"
#include "commands/survey_show.h"

#include <string.h>

enum { TEXT_SIZE = 300 };

static const char style[] =
    "body{font:14px/1.4 sans-serif;color:#111;max-width:70em;margin:1.5em auto;padding:0 1em}\n"
    "h1{font-size:1.6em;margin:0 0 .6em}h2{font-size:1.15em;margin:1.6em 0 .4em}\n"
    "h3{font-size:1em;margin:1.2em 0 .3em}p{margin:.2em 0}\n"
    "table{border-collapse:collapse;width:100%}caption{text-align:left}\n"
    "th,td{text-align:left;vertical-align:top;padding:.15em .6em .15em 0;"
    "border-bottom:1px solid #ddd}\n"
    "thead{display:table-header-group}tr{break-inside:avoid}\n"
    ".n{text-align:right;white-space:nowrap}.k{white-space:nowrap}.t{min-width:6em}.bad{color:#"
    "a00;font-weight:"
    "bold}.good{color:#060}.dim{color:#666}\n"
    "code{font:12px/1.3 monospace;word-break:break-all}dl{display:grid;"
    "grid-template-columns:max-content 1fr;gap:.2em 1em;margin:0}dt{color:#666}dd{margin:0}\n"
    ".sign{display:grid;grid-template-columns:1fr 1fr;gap:2.5em 2em;margin-top:3em;"
    "break-inside:avoid}\n"
    ".sign p{border-top:1px solid #111;padding-top:.2em;margin-top:2.5em}\n"
    "section{break-inside:auto}h3{break-after:avoid}\n"
    "@media print{body{font-size:11px;max-width:none;margin:0;padding:0}"
    "@page{margin:15mm}}\n";

static void put(FILE *to, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", to);
            break;
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        case '\'':
            fputs("&#39;", to);
            break;
        default: /* control characters have no place in a page */
            fputc((unsigned char)*text < ' ' || *text == 0x7F ? ' ' : *text, to);
        }
    }
}

static const char *class_of(const char *word)
{
    enum tone tone = survey_tone(word);

    return tone == TONE_GOOD ? "good" : tone == TONE_BAD ? "bad" : "dim";
}

static void cell(FILE *to, const char *class, const char *text)
{
    fprintf(to, *class ? "<td class=\"%s\">" : "<td>", class);
    put(to, text);
    fputs("</td>", to);
}

static void heads(FILE *to, const char *const *names)
{
    fputs("<table><thead><tr>", to);
    for (; *names; names++)
        fprintf(to, "<th%s>%s</th>", **names == '>' ? " class=\"n\"" : "",
                *names + (**names == '>'));
    fputs("</tr></thead><tbody>\n", to);
}

static void entry(FILE *to, const char *name, const char *class, const char *text)
{
    fprintf(to, "<dt>%s</dt><dd class=\"%s\">", name, class);
    put(to, text);
    fputs("</dd>\n", to);
}

static void print_head(const json_t *report, FILE *to)
{
    const json_t *site = json_object_get(report, "site");
    bool well = json_is_true(json_object_get(report, "well"));
    char text[TEXT_SIZE];

    fputs("<h1>Commissioning report</h1>\n<dl>\n", to);
    snprintf(text, sizeof(text), "%s, jobgate %s", text_of(report, "gateway"),
             text_of(report, "version"));
    entry(to, "Gateway", "", text);
    survey_clock_text(report, text, sizeof(text));
    entry(to, "Made", json_is_true(json_object_get(report, "clockTrusted")) ? "" : "bad", text);
    entry(to, "Read", "",
          strcmp(text_of(report, "through"), "gateway") == 0 ? "through the running gateway"
                                                             : "on the lines, no gateway ran");
    entry(to, "Site", "", text_of(site, "file"));
    fputs("<dt></dt><dd><code>sha256 ", to);
    put(to, text_of(site, "sha256"));
    fputs("</code></dd>\n", to);
    survey_sum_text(report, text, sizeof(text));
    entry(to, "Result", well ? "good" : "bad", text);
    if (*text_of(report, "remark"))
        entry(to, "Remark", "bad", text_of(report, "remark"));
    fputs("</dl>\n", to);
}

static void print_lines(const json_t *lines, FILE *to)
{
    fputs("<h2>Lines</h2>\n", to);
    heads(to, (const char *const[]){"Line", "Where", ">Time-out", ">Tries", ">Devices", "State",
                                    NULL});
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        const char *state = text_of(line, "state"), *why = text_of(line, "why");
        char text[TEXT_SIZE];

        fputs("<tr>", to);
        cell(to, "k", text_of(line, "name"));
        survey_line_text(line, text, sizeof(text));
        cell(to, "", text);
        snprintf(text, sizeof(text), "%.15g ms",
                 json_number_value(json_object_get(line, "timeoutMs")));
        cell(to, "n", text);
        snprintf(text, sizeof(text), "%d", survey_number(line, "tries"));
        cell(to, "n", text);
        snprintf(text, sizeof(text), "%d", survey_number(line, "devices"));
        cell(to, "n", text);
        snprintf(text, sizeof(text), "%s%s%s", state, *why ? ": " : "", why);
        cell(to, class_of(state), text);
        fputs("</tr>\n", to);
    }
    fputs("</tbody></table>\n", to);
}

static void print_devices(const json_t *devices, FILE *to)
{
    fputs("<h2>Devices</h2>\n", to);
    heads(to, (const char *const[]){"Device", "Line", ">Unit", "Profile", "Tags", "State",
                                    ">Answer", "Result", NULL});
    for (size_t i = 0; i < json_array_size(devices); i++) {
        const json_t *device = json_array_get(devices, i);
        const json_t *ms = json_object_get(device, "answerMs");
        char text[TEXT_SIZE];

        fputs("<tr>", to);
        cell(to, "k", text_of(device, "id"));
        cell(to, "k", text_of(device, "line"));
        snprintf(text, sizeof(text), "%d", survey_number(device, "unit"));
        cell(to, "n", text);
        cell(to, "k", text_of(device, "profile"));
        survey_tags_text(json_object_get(device, "tags"), text, sizeof(text));
        cell(to, "t", text);
        cell(to, class_of(text_of(device, "state")), text_of(device, "state"));
        text[0] = '\0';
        if (ms)
            snprintf(text, sizeof(text), "%.1f ms", json_number_value(ms));
        cell(to, "n", text);
        bool well = survey_result_text(device, text, sizeof(text));
        cell(to, well ? "" : "bad", text);
        fputs("</tr>\n", to);
    }
    fputs("</tbody></table>\n", to);
}

static void print_point(const json_t *point, bool device_failed, FILE *to)
{
    const char *result = text_of(point, "result");
    char text[TEXT_SIZE] = "";

    fputs("<tr>", to);
    cell(to, "k", text_of(point, "name"));
    cell(to, "k", text_of(point, "register"));
    if (json_object_get(point, "value"))
        value_text(json_object_get(point, "value"), text, sizeof(text));
    cell(to, "n", text);
    cell(to, "", text_of(point, "unit"));
    survey_error_text(point, text, sizeof(text));
    if (device_failed) /* the sentence stands above */
        text[strcspn(text, ":")] = '\0';
    cell(to, class_of(result),
         strcmp(result, "never read") == 0 ? "never read: write-only"
         : *text                           ? text
                                           : result);
    fputs("</tr>\n", to);
}

static void print_device(const json_t *device, FILE *to)
{
    const json_t *points = json_object_get(device, "points");
    char error[TEXT_SIZE];

    fputs("<section><h3>", to);
    put(to, text_of(device, "id"));
    fputs(" <span class=\"dim\">", to);
    put(to, text_of(device, "line"));
    fprintf(to, " unit %d, ", survey_number(device, "unit"));
    put(to, *text_of(device, "title") ? text_of(device, "title") : text_of(device, "profile"));
    fputs("</span></h3>\n", to);
    survey_error_text(device, error, sizeof(error));
    if (*error) {
        fputs("<p class=\"bad\">", to);
        put(to, error);
        fputs("</p>\n", to);
    }
    heads(to, (const char *const[]){"Point", "Register", ">Value", "Unit", "Result", NULL});
    for (size_t i = 0; i < json_array_size(points); i++)
        print_point(json_array_get(points, i), *error != '\0', to);
    fputs("</tbody></table></section>\n", to);
}

static void print_files(const json_t *files, FILE *to)
{
    fputs("<h2>Files of the site</h2>\n", to);
    heads(to, (const char *const[]){"File", "sha256", NULL});
    for (size_t i = 0; i < json_array_size(files); i++) {
        fputs("<tr>", to);
        cell(to, "", text_of(json_array_get(files, i), "file"));
        fputs("<td><code>", to);
        put(to, text_of(json_array_get(files, i), "sha256"));
        fputs("</code></td></tr>\n", to);
    }
    fputs("</tbody></table>\n", to);
}

void survey_print_html(const json_t *report, FILE *to)
{
    const json_t *devices = json_object_get(report, "devices");

    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "style-src 'unsafe-inline'\">\n"
          "<meta name=\"viewport\" content=\"width=device-width\">\n<title>Commissioning of ",
          to);
    put(to, text_of(report, "gateway"));
    fprintf(to, "</title>\n<style>\n%s</style></head><body>\n", style);
    print_head(report, to);
    print_lines(json_object_get(report, "lines"), to);
    print_devices(devices, to);
    fputs("<h2>Points</h2>\n", to);
    for (size_t i = 0; i < json_array_size(devices); i++)
        print_device(json_array_get(devices, i), to);
    print_files(json_object_get(json_object_get(report, "site"), "files"), to);
    fputs("<div class=\"sign\"><p>Commissioned by (name, date, signature)</p>"
          "<p>Accepted by (name, date, signature)</p></div>\n</body></html>\n",
          to);
}
