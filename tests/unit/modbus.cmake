unit_test(modbus_frame jobgate_adapters)
unit_test(modbus_port jobgate_adapters)
unit_test(modbus_tcp jobgate_adapters)
unit_test(modbus_rs485 jobgate_adapters ${CMAKE_DL_LIBS})
