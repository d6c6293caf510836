unit_test(iothub_topics jobgate_links)
unit_test(iothub_telemetry jobgate_links)
unit_test(iothub_twin jobgate_links)
unit_test(iothub_thread jobgate_links)
