"""Programs as bytecode: traced on symbols, written as a graph of operations, assembled for the virtual machine."""

from harness.compiler.assemble import ProgramResult, Unit, compile_unit
from harness.compiler.disassemble import disassemble
from harness.compiler.errors import Untraceable
from harness.compiler.interpret import FAIL, interpret
from harness.compiler.tracing import Trace, trace, trace_function

__all__ = [
    "FAIL",
    "ProgramResult",
    "Trace",
    "Unit",
    "Untraceable",
    "compile_unit",
    "disassemble",
    "interpret",
    "trace",
    "trace_function",
]
