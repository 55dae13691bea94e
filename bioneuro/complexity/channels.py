"""Words out of several channels, and out of values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro.complexity.words import Ints, WordError


def joint(channels: Any) -> Ints:
    """One symbol for each bin that stands for what all channels show there: (..., channel, bin) -> (..., bin).

    Which number stands for which pattern is the same in all of the array, and means nothing.

    Raises:
        WordError: not integers, or no axis of channels.
    """
    array = _integers(channels, "joint", 2)
    if array.shape[-2] <= 64 and array.size and 0 <= array.min() <= array.max() <= 1:
        packed = np.packbits(array.astype(bool), axis=-2, bitorder="little")  # the channels are bits of one integer
        bits = np.zeros((*array.shape[:-2], array.shape[-1], 8), np.uint8)
        bits[..., : packed.shape[-2]] = np.moveaxis(packed, -2, -1)
        return bits.view("<i8")[..., 0].astype(np.int64)
    symbols = np.zeros((*array.shape[:-2], array.shape[-1]), np.int64)
    patterns = 1
    for channel in np.moveaxis(array, -2, 0):
        _, own = np.unique(channel, return_inverse=True)
        own = own.reshape(channel.shape)
        size = int(own.max(initial=0)) + 1
        if patterns * size >= 2**62:
            _, symbols = np.unique(symbols, return_inverse=True)
            symbols = symbols.reshape(channel.shape)
            patterns = int(symbols.max(initial=0)) + 1
        symbols = symbols * size + own
        patterns *= size
    return symbols


def concatenated(channels: Any) -> NDArray[Any]:
    """The words of all channels end to end: (..., channel, bin) -> (..., channel * bin).

    A phrase may reach from one channel into the next, so this counts what channels have in common, at any lag.

    Raises:
        WordError: not integers, or no axis of channels.
    """
    array = _integers(channels, "concatenated", 2)
    return array.reshape(*array.shape[:-2], -1)


def binarised(values: Any, threshold: Any) -> NDArray[np.uint8]:
    """1 where a value is above the threshold, else 0; a threshold for each row has the shape (row, 1).

    Raises:
        WordError: a value or threshold that is not a number.
    """
    try:
        array, split = np.asarray(values), np.asarray(threshold)
        np.broadcast_shapes(array.shape, split.shape)
    except ValueError as error:
        raise WordError(f"binarised: {error}; give rows of equal length, and one threshold or one for each row, of shape (row, 1)") from None
    for name, given in (("values", array), ("threshold", split)):
        if given.dtype.kind not in "biuf" or np.isnan(given).any():
            raise WordError(f"binarised: {name}: not all are real numbers; leave out or replace what is missing")
    return (array > split).astype(np.uint8)


def _integers(given: Any, place: str, least: int) -> NDArray[Any]:
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise WordError(f"{place}: {error}; give channels of equal length") from None
    if array.dtype.kind not in "biu" or array.ndim < least:
        raise WordError(f"{place}: an array of {array.dtype} and shape {array.shape}; give integers (..., channel, bin)")
    return array
