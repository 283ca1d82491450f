#pragma once

#include "grid.h"

namespace vm {

VM_FN Value op_bottomhalf(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_canvas(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_cellwise(Context&, const Value&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_cmirror(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_compress(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_cover(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_crop(Context&, const Value&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_dmirror(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_downscale(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_fill(Context&, const Value&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_hconcat(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_hmirror(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_hsplit(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_hupscale(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_index(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_lefthalf(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_move(Context&, const Value&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_paint(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_replace(Context&, const Value&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_righthalf(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_rot180(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_rot270(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_rot90(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_subgrid(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_switch(Context&, const Value&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_tophalf(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_trim(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_underfill(Context&, const Value&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_underpaint(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_upscale(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_vconcat(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_vmirror(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_vsplit(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_vupscale(Context&, const Value&, const Value&) { return unhandled(R_FORM); }

}  // namespace vm
