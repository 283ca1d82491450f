// Primitives on integers, Booleans and pairs of integers.
#pragma once

#include "order.h"

namespace vm {

VM_FN Value op_add(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_astuple(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_both(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_crement(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_decrement(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_divide(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_double(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_either(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_equality(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_even(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_flip(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_greater(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_halve(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_identity(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_increment(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_interval(Context&, const Value&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_invert(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_maximum(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_minimum(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_multiply(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_positive(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_sign(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_subtract(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_toivec(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_tojvec(Context&, const Value&) { return unhandled(R_FORM); }

}  // namespace vm
