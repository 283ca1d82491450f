#pragma once

#include "grid.h"

namespace vm {

VM_FN Value op_fgpartition(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_frontiers(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_objects(Context&, const Value&, const Value&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_occurrences(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_partition(Context&, const Value&) { return unhandled(R_FORM); }

}  // namespace vm
