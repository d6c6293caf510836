/* jobgate sim: plays every device of a site. Returns the program's exit status. */
#ifndef JOBGATE_COMMANDS_SIM_H
#define JOBGATE_COMMANDS_SIM_H

int command_sim(int argc, char **argv); /* argv[0] is "sim" */

#endif
