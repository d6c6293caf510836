/* Commands: one function for each word of the command line; returns the exit status
   (0 done, 1 the request failed on a device, 2 wrong use, 3 not reachable). */
#ifndef JOBGATE_COMMANDS_COMMANDS_H
#define JOBGATE_COMMANDS_COMMANDS_H

int command_run(int argc, char **argv);
int command_check(int argc, char **argv);

#endif
