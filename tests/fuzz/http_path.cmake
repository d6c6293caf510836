fuzz_target(http_path jobgate_links)
