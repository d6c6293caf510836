unit_test(line jobgate_lines)
unit_test(line_wire jobgate_lines jobgate_sim)
unit_test(line_ring jobgate_lines)
