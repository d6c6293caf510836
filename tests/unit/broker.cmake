unit_test(broker_topics jobgate_links)
unit_test(broker_outbox jobgate_links)
unit_test(broker_message jobgate_links)
unit_test(broker jobgate_links)
