unit_test(unplug jobgate_adapters Threads::Threads)
