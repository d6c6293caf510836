/* jobgate plan: the frames that a call would send, and the least time they take on the wire.
   Sends nothing. Returns the program's exit status. */
#ifndef JOBGATE_COMMANDS_PLAN_H
#define JOBGATE_COMMANDS_PLAN_H

int command_plan(int argc, char **argv); /* argv[0] is "plan" */

#endif
