#pragma once

#include "grid.h"

namespace vm {

VM_FN Value op_a_mr(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_col_row(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_corner(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_f_ofcolor(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_get_color_rank(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_mir_rot_f(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_mir_rot_t(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_o_g(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_p_f(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_p_g(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_p_o(Context&, const Value&) { return unhandled(R_FORM); }

}  // namespace vm
