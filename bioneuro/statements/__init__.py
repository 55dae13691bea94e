"""Circuit -> plain text per phase: what Brian2 itself would execute, read off the objects that it executes."""

from bioneuro.guard import brian2_may_load

brian2_may_load()

from bioneuro.statements.assemble import Assembly, assemble, located  # noqa: E402 (the guard comes before Brian2)
from bioneuro.statements.read import Phase, Program, read  # noqa: E402
from bioneuro.statements.step import phase_name  # noqa: E402

__all__ = ["Assembly", "Phase", "Program", "assemble", "located", "phase_name", "read"]
