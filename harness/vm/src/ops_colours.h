#pragma once

#include "ops_patches.h"

namespace vm {

VM_FN Value op_color(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_colorcount(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_colorfilter(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_height(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_hline(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_leastcolor(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_mostcolor(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_numcolors(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_palette(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_portrait(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_shape(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_square(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_vline(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_width(Context&, const Value&) { return unhandled(R_FORM); }

}  // namespace vm
