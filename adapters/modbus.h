/*
 * Modbus: the two adapters on libmodbus; everything about them is in struct adapter.
 */
#ifndef JOBGATE_ADAPTERS_MODBUS_H
#define JOBGATE_ADAPTERS_MODBUS_H

#include "adapters/adapter.h"

extern const struct adapter modbus_rtu;
extern const struct adapter modbus_tcp;

#endif
