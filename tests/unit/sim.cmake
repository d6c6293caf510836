unit_test(sim jobgate_sim)
unit_test(sim_lines jobgate_sim)
