// What becomes of the results of a loop body.
#pragma once

#include "ops_containers.h"

namespace vm {

VM_FN Value finish_loop(Context&, u8, const Value&, const Value*, Value*, u64, const Value&) { return unhandled(R_FORM); }

}  // namespace vm
