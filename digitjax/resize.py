"""Pictures of another size: by area where they get smaller, bilinearly where they get larger."""

import numpy as np
from jaxtyping import Float


def area_resize(
    image: Float[np.ndarray, "height width"], rows: int, columns: int
) -> Float[np.ndarray, "rows columns"]:
    """Resizes by area where it gets smaller and bilinearly where it gets larger, each axis for itself."""
    return _resize_axis(_resize_axis(image, rows).T, columns).T


def at_most(values: Float[np.ndarray, "height width"], longest: int) -> Float[np.ndarray, "rows columns"]:
    """As it is, or smaller, so that its longest side is `longest`."""
    scale = min(1.0, longest / max(values.shape))
    rows, columns = (max(1, round(side * scale)) for side in values.shape)
    return area_resize(values, rows, columns)


def _resize_axis(image: Float[np.ndarray, "height width"], rows: int) -> Float[np.ndarray, "rows width"]:
    height = image.shape[0]
    if rows == height:
        return image
    if rows > height:
        at = np.clip((np.arange(rows) + 0.5) * height / rows - 0.5, 0, height - 1)
        low = np.floor(at).astype(int)
        part = (at - low)[:, None]
        return image[low] * (1 - part) + image[np.minimum(low + 1, height - 1)] * part
    edges = np.linspace(0, height, rows + 1)
    total = np.concatenate([np.zeros((1, image.shape[1])), np.cumsum(image, axis=0)])
    low = np.minimum(np.floor(edges).astype(int), height - 1)
    at_edges = total[low] + image[low] * (edges - low)[:, None]
    return np.diff(at_edges, axis=0) * rows / height
