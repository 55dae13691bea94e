"""Tags of depression, and capture across the two kinds of change.

References:
    Sajikumar & Frey 2004, Neurobiol Learn Mem 82:12, doi 10.1016/j.nlm.2004.03.003 (cross-tagging).
    Sajikumar & Frey 2004, Neuroscience 129:503, doi 10.1016/j.neuroscience.2004.08.014 (volume and page from memory;
    resetting of the tag).

Checked against the abstracts, which give no delays between pathways.
"""

import math

from bioneuro.evidence.pathways import ABSTRACT, Capture

PAPER = "Sajikumar & Frey 2004, Neurobiol Learn Mem 82:12, doi 10.1016/j.nlm.2004.03.003"
RESET = "Sajikumar & Frey 2004, Neuroscience, doi 10.1016/j.neuroscience.2004.08.014"

CROSS_TAGGING = Capture(
    strong="induction of late LTP", weak="induction of early LTD", delay=math.nan, change="early LTD", captured=True, basis=ABSTRACT,
    source=PAPER, says="proteins made for potentiation serve depression as well: the tag decides the direction",
)  # fmt: skip

RESETTING = Capture(
    strong="not given", weak="weak tetanus, low-frequency stimulation 5 min later", delay=math.nan, change="early LTP", captured=False,
    basis=ABSTRACT, source=RESET, says="the low-frequency stimulation resets the tag, so no lasting LTP follows",
)  # fmt: skip

EXPERIMENTS = (CROSS_TAGGING, RESETTING)
