// Primitives on containers that take no function.
#pragma once

#include "ops_numbers.h"

namespace vm {

VM_FN Value op_pack1(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_pack3(Context&, const Value&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_pack4(Context&, const Value&, const Value&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_require_count(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_branch(Context&, const Value&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_combine(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_contained(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_dedupe(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_difference(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_first(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_initset(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_insert(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_intersection(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_last(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_leastcommon(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_merge(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_mostcommon(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_other(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_pair(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_product(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_remove(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_repeat(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_size(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_sizefilter(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_totuple(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_difference_tuple(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_get_common_rank(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_get_nth_f(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_get_nth_t(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_get_rank(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_second(Context&, const Value&) { return unhandled(R_FORM); }

}  // namespace vm
