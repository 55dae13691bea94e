"""Arrays of NumPy and of torch alike."""

from typing import Any

import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import NDArray


def like(values: Any, array: Any) -> Any:
    """Plain numbers in the library, type and place of `array`, without gradient."""
    return array_namespace(array).asarray(np.array(values), dtype=array.dtype, device=device(array))


def plain(values: Any) -> NDArray[np.float64]:
    """NumPy numbers without gradient."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=np.float64)
