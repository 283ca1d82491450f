"""The virtual machine that runs compiled programs: opcode table, C++ source, build and loader."""
