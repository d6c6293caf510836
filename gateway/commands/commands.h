/*
 * Commands: one function for each word behind `jobgate`, called with the arguments from that
 * word on. Each answers --help with an example and returns the exit status of the program.
 */
#ifndef JOBGATE_COMMANDS_COMMANDS_H
#define JOBGATE_COMMANDS_COMMANDS_H

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,      /* the request failed on at least one device */
    EXIT_WRONG = 2,       /* wrong use or configuration */
    EXIT_UNREACHABLE = 3, /* the gateway or a line cannot be reached */
};

int command_run(int argc, char **argv);
int command_check(int argc, char **argv);
int command_sim(int argc, char **argv);
int command_plan(int argc, char **argv);
int command_scan(int argc, char **argv);
int command_report(int argc, char **argv);
int command_devices(int argc, char **argv);
int command_read(int argc, char **argv);
int command_write(int argc, char **argv);
int command_call(int argc, char **argv);
int command_job(int argc, char **argv);
int command_clock(int argc, char **argv);
int command_reload(int argc, char **argv);
int command_bundle(int argc, char **argv);
int command_cert(int argc, char **argv);

#endif
