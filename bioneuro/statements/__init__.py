"""Circuit -> plain text per phase: what Brian2 itself would execute, read off the objects that it executes."""

from bioneuro.statements.assemble import Assembly, assemble
from bioneuro.statements.read import Phase, Program, read

__all__ = ["Assembly", "Phase", "Program", "assemble", "read"]
