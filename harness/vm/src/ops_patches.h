#pragma once

#include "grid.h"

namespace vm {

VM_FN Value op_adjacent(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_asindices(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_asobject(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_backdrop(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_bordering(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_box(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_center(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_centerofmass(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_connect(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_corners(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_delta(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_dneighbors(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_gravitate(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_hfrontier(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_hmatching(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_hperiod(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_inbox(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_ineighbors(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_leftmost(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_llcorner(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_lowermost(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_lrcorner(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_manhattan(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_neighbors(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_normalize(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_ofcolor(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_outbox(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_position(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_recolor(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_rightmost(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_shift(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_shoot(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_toindices(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_toobject(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_ulcorner(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_uppermost(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_urcorner(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_vfrontier(Context&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_vmatching(Context&, const Value&, const Value&) { return unhandled(R_FORM); }
VM_FN Value op_vperiod(Context&, const Value&) { return unhandled(R_FORM); }

}  // namespace vm
