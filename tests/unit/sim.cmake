unit_test(sim jobgate_sim)
unit_test(sim_lines jobgate_sim)
unit_test(sim_cast jobgate_commands)
